package slslog

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, sampleList), byte(1))
	f.Add(bytes.Repeat(unhex(f, sampleList), 3), byte(0x80))
	f.Add(unhex(f, "8a00 938000 8a00 8e8000 880005 9200 868000 0a016b120176"), byte(8))
	f.Add(unhex(f, "0a12 0a10 0805 120c 0a0178 120179 0a016b 120176"), byte(7))
	f.Add(unhex(f, "1001 0a00 1a0161 2501020304 190102030405060708 13"), byte(3))
	f.Add(benchPage(f, 1), byte(0xff))
	f.Fuzz(func(t *testing.T, page []byte, flip byte) {
		page = bytes.Clone(page)
		if n := allocated(func() { _, _ = Parse(page) }); n > 64*len(page)+4<<10 {
			t.Errorf("a page of %d bytes allocates %d", len(page), n)
		}
		groups := compare(t, page)
		for i := range groups {
			groups[i].Clone()
		}
		// Whatever happens to the page then, using its views must not panic.
		for i := 0; i < len(page); i += 1 + int(flip>>4) {
			page[i] ^= flip
		}
		walk(groups)
	})
}

func FuzzDecompress(f *testing.F) {
	raw := benchPage(f, 1)[:2000]
	kinds := []sls.Compression{"", sls.LZ4, sls.Zstd, sls.None, "gzip"}
	for n, kind := range kinds {
		f.Add(compressAs(f, raw, kind), byte(n), uint16(len(raw)))
		f.Add(compressAs(f, nil, kind), byte(n), uint16(0))
		f.Add(compressAs(f, make([]byte, 60000), kind), byte(n), uint16(60000))
		f.Add(compressAs(f, raw[:10], kind), byte(n), uint16(9))
	}
	f.Fuzz(func(t *testing.T, body []byte, n byte, size uint16) {
		kind := kinds[min(int(n), len(kinds)-1)]
		if n := allocated(func() { _, _ = decompress(nil, body, kind, int(size)<<10) }); n > int(size)<<10+256<<10 {
			t.Fatalf("%d bytes announced as %d KiB allocate %d", len(body), size, n)
		}
		const guard = 64
		memory := bytes.Repeat([]byte{0xa5}, int(size)+guard)
		got, err := decompress(memory, body, kind, int(size))
		for i, c := range memory[size:] {
			if c != 0xa5 {
				t.Fatalf("byte %d behind the %d announced was overwritten", i, size)
			}
		}
		var refused *decompressError
		if err != nil && (!errors.As(err, &refused) || got != nil) {
			t.Fatalf("got %d bytes and %v", len(got), err)
		}
		if err == nil && len(got) != int(size) {
			t.Fatalf("got %d bytes, want %d", len(got), size)
		}
		if kind != "" && kind != sls.LZ4 {
			return
		}
		want, ok := twinLZ4(body, int(size))
		if ok = ok && len(want) == int(size); ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Fatalf("got %x, %v, the twin %x, %v", got, err, want, ok)
		}
	})
}

// FuzzBuilder builds a group of anything, and reads it back.
func FuzzBuilder(f *testing.F) {
	f.Add("topic", "127.0.0.1", "key", "value", []byte("content"), int64(1405409656), int64(123456789), uint8(2))
	f.Add("", "", "", "", []byte(nil), int64(0), int64(0), uint8(0))
	f.Add(strings.Repeat("t", 128), "\xff", strings.Repeat("k", MaxKeyBytes+1), "v", bytes.Repeat([]byte{0x0a}, 300), int64(1<<32), int64(1), uint8(5))
	f.Fuzz(func(t *testing.T, topic, source, key, value string, content []byte, seconds, nanos int64, logs uint8) {
		var b Builder
		set := func(err error) bool {
			var limit *LimitError
			if err != nil && !errors.As(err, &limit) && !errors.Is(err, ErrLogTime) {
				t.Fatalf("refused with %v", err)
			}
			return err == nil
		}
		hasTopic, hasSource, hasTag := set(b.SetTopic(topic)), set(b.SetSource(source)), set(b.AddTag(key, value))
		at := time.Unix(seconds, nanos)
		added := 0
		for range logs % 8 {
			if set(b.AddLog(at, Content{key, content}, Content{value, nil})) {
				added++
			}
		}
		group := b.Bytes()
		if len(group) != b.Size() || added != b.Len() {
			t.Fatalf("%d bytes and %d logs, not Size %d and Len %d", len(group), added, b.Size(), b.Len())
		}
		page := append(appendLength(nil, listGroup, len(group)), group...)
		groups, err := parse(page, 1)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, page)
		g := groups[0]
		if g.Len() != added || hasTopic && string(g.Topic()) != topic || hasSource && string(g.Source()) != source {
			t.Errorf("%d logs of topic %q and source %q", g.Len(), g.Topic(), g.Source())
		}
		if got, ok := g.Tag(key); ok != hasTag || ok && string(got) != value {
			t.Errorf("the tag is %q, %v", got, ok)
		}
		for l := range g.Logs() {
			if !l.Time().Equal(at) {
				t.Errorf("the time is %v, want %v", l.Time(), at)
			}
			if got, ok := l.Value(key); !ok || !bytes.Equal(got, content) {
				t.Errorf("the content is %q, %v", got, ok)
			}
		}
	})
}

// allocated returns how many bytes f allocates: the smaller number of two runs, to leave out single
// allocations and those of other goroutines.
func allocated(f func()) int {
	least := uint64(math.MaxUint64)
	for range 2 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return int(least)
}

// twinLZ4 decodes a block as its description says, byte by byte.
func twinLZ4(b []byte, most int) (out []byte, ok bool) {
	take := func() (c byte) {
		if len(b) == 0 {
			ok = false
			return 0
		}
		c, b = b[0], b[1:]
		return c
	}
	length := func(n int) int {
		if n == 15 {
			for c := byte(255); c == 255 && ok; {
				c = take()
				n += int(c)
			}
		}
		return n
	}
	for ok = true; ok && len(b) > 0; {
		token := take()
		n := length(int(token >> 4))
		if !ok || n > len(b) || n > most-len(out) {
			return nil, false
		}
		out, b = append(out, b[:n]...), b[n:]
		if len(b) == 0 && token&15 == 0 {
			return out, true
		}
		offset := int(take()) | int(take())<<8
		n = 4 + length(int(token&15))
		if !ok || offset == 0 || offset > len(out) || n > most-len(out) {
			return nil, false
		}
		for range n {
			out = append(out, out[len(out)-offset])
		}
	}
	return out, ok
}
