package slsserver

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// randomText is n bytes, the more repetitive the smaller kinds is.
func randomText(rng *rand.Rand, n, kinds int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.IntN(kinds))
		if i > 20 && rng.IntN(3) == 0 {
			b[i] = b[i-20]
		}
	}
	return b
}

// TestJoin compares joined pages with what two decoders make of them.
func TestJoin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		var blocks []block
		var want []byte
		for range rng.IntN(12) + 1 {
			size := []int{1, 3, 14, 15, 16, 100, 300, 5000, 70000}[rng.IntN(9)]
			group := randomText(rng, size+rng.IntN(3), []int{1, 2, 5, 256}[rng.IntN(4)])
			b, err := newBlock(group)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := b.decode(nil); err != nil || !bytes.Equal(got, group) {
				t.Fatalf("round %d: a block of %d bytes does not come back: %v", round, size, err)
			}
			blocks = append(blocks, b)
			want = append(appendListHeader(want, len(group)), group...)
		}
		page := joinBlocks(nil, blocks)
		if got := slowLZ4(t, page); !bytes.Equal(got, want) {
			t.Fatalf("round %d: the page of %d groups is not what went in", round, len(blocks))
		}
		got := make([]byte, len(want))
		if n, err := lz4.UncompressBlock(page, got); err != nil || !bytes.Equal(got[:n], want) {
			t.Fatalf("round %d: the other decoder: %v", round, err)
		}
		if _, err := readBlock(page, len(want)); err != nil {
			t.Fatalf("round %d: a strict decoder refuses the page", round)
		}
		size := 0
		for _, b := range blocks {
			size += listSize(int(b.raw))
		}
		if size != len(want) {
			t.Fatalf("round %d: listSize says %d, it is %d", round, size, len(want))
		}
	}
}

func TestReadBlockRefuses(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 50)
	good, err := newBlock(long)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		raw  int
	}{
		"nothing":                 {nil, 0},
		"too short a raw size":    {good.data, len(long) - 1},
		"too long a raw size":     {good.data, len(long) + 1},
		"an offset of zero":       {unhex("10410000" + "c0" + "424242424242424242424242"), 17},
		"an offset too far back":  {unhex("10410200" + "c0" + "424242424242424242424242"), 17},
		"a match near the end":    {unhex("10410100" + "50" + "4242424242"), 10},
		"a match length too many": {unhex("51" + "4141414141"), 5},
		"a match at the end":      {unhex("10410100"), 5},
		"few last literals":       {unhex("1f4101000a" + "40" + "42424242"), 34},
		"a length without end":    {unhex("f0ffff"), 600},
		"literals that are short": {unhex("5041"), 5},
		"half an offset":          {unhex("104101"), 5},
	} {
		if _, err := readBlock(c.data, c.raw); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzReadBlock(f *testing.F) {
	b, _ := newBlock(bytes.Repeat([]byte("abcdefgh"), 40))
	f.Add(b.data, 320)
	f.Add([]byte("\xf0\x2c"+string(sample)), 59)
	f.Fuzz(func(t *testing.T, data []byte, raw int) {
		if raw < 0 || raw > 1<<20 {
			return
		}
		b, err := readBlock(data, raw)
		if err != nil {
			return
		}
		want, err := b.decode(nil)
		if err != nil {
			t.Fatalf("readBlock takes what the decoder refuses: %x", data)
		}
		if raw == 0 {
			return
		}
		page := joinBlocks(nil, []block{b, b})
		list := append(appendListHeader(nil, raw), want...)
		if got := slowLZ4(t, page); !bytes.Equal(got, append(list, list...)) {
			t.Fatalf("joined twice: %x", data)
		}
	})
}
