package slslog

import (
	"bytes"
	"errors"
	"testing"

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
	for kind := range sls.None + 2 {
		f.Add(compressAs(f, raw, kind), byte(kind), uint16(len(raw)))
		f.Add(compressAs(f, nil, kind), byte(kind), uint16(0))
		f.Add(compressAs(f, make([]byte, 60000), kind), byte(kind), uint16(60000))
		f.Add(compressAs(f, raw[:10], kind), byte(kind), uint16(9))
	}
	f.Fuzz(func(t *testing.T, body []byte, kind byte, size uint16) {
		const guard = 64
		memory := bytes.Repeat([]byte{0xa5}, int(size)+guard)
		got, err := decompress(memory, body, sls.Compression(kind), int(size))
		for i, c := range memory[size:] {
			if c != 0xa5 {
				t.Fatalf("byte %d behind the %d announced was overwritten", i, size)
			}
		}
		var refused *DecompressError
		if err != nil && (!errors.As(err, &refused) || got != nil) {
			t.Fatalf("got %d bytes and %v", len(got), err)
		}
		if err == nil && len(got) != int(size) {
			t.Fatalf("got %d bytes, want %d", len(got), size)
		}
		if c := sls.Compression(kind); c != 0 && c != sls.LZ4 {
			return
		}
		want, ok := twinLZ4(body, int(size))
		if ok = ok && len(want) == int(size); ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Fatalf("got %x, %v, the twin %x, %v", got, err, want, ok)
		}
	})
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
