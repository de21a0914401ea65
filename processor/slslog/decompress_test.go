package slslog

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pierrec/lz4/v4"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// compressAs compresses with the library's encoders, and returns the rest as it is.
func compressAs(tb testing.TB, raw []byte, kind sls.Compression) []byte {
	tb.Helper()
	switch kind {
	case sls.LZ4:
		return compressLZ4(tb, raw)
	case sls.Zstd:
		return compressZstd(tb, raw)
	}
	return bytes.Clone(raw)
}

// TestLiteralBlock is the worked sample of a block for what cannot be compressed.
func TestLiteralBlock(t *testing.T) {
	group := unhex(t, sampleGroup)
	body := append(unhex(t, "f02c"), group...)
	raw, err := decompress(nil, body, sls.LZ4, len(group))
	if err != nil || !bytes.Equal(raw, group) {
		t.Fatalf("got %x, %v", raw, err)
	}
	if raw, err = decompress(nil, body, "", len(group)); err != nil || !bytes.Equal(raw, group) {
		t.Fatalf("by default: got %x, %v", raw, err)
	}
	for _, size := range []int{0, 1, 58, 60, 1000} {
		if _, err := decompress(nil, body, sls.LZ4, size); err == nil {
			t.Errorf("a block of 59 raw bytes was taken for one of %d", size)
		}
	}
}

func TestDecompress(t *testing.T) {
	text := benchPage(t, 100<<10)
	for _, kind := range []sls.Compression{sls.None, sls.LZ4, sls.Zstd} {
		for _, raw := range [][]byte{text, text[:1], bytes.Repeat([]byte("a"), 1<<20), {}} {
			body := compressAs(t, raw, kind)
			dst := make([]byte, len(raw)+8)
			got, err := decompress(dst, body, kind, len(raw))
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%v of %d bytes: got %d, %v", kind, len(raw), len(got), err)
				continue
			}
			if len(raw) > 0 && &got[0] != &dst[0] {
				t.Errorf("%v of %d bytes: went to other memory", kind, len(raw))
			}
			got, err = decompress(nil, body, kind, len(raw))
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%v of %d bytes to nil: got %d, %v", kind, len(raw), len(got), err)
			}
		}
	}
}

func TestDecompressWrongSize(t *testing.T) {
	raw := benchPage(t, 10<<10)
	for _, kind := range []sls.Compression{sls.None, sls.LZ4, sls.Zstd} {
		body := compressAs(t, raw, kind)
		for _, size := range []int{-1, 0, 1, len(raw) - 1, len(raw) + 1, 1 << 20} {
			got, err := decompress(nil, body, kind, size)
			var refused *decompressError
			if !errors.As(err, &refused) || refused.RawSize != size || refused.Compression != kind || got != nil {
				t.Errorf("%v announced as %d: got %d bytes, %v", kind, size, len(got), err)
			}
			tooShort := size > len(raw) || size < 0
			if (tooShort || kind != sls.LZ4) && !errors.Is(err, errRawSize) {
				t.Errorf("%v announced as %d: %v is not errRawSize", kind, size, err)
			}
		}
	}
}

func TestDecompressCorrupt(t *testing.T) {
	raw := benchPage(t, 10<<10)
	for _, kind := range []sls.Compression{sls.LZ4, sls.Zstd} {
		body := compressAs(t, raw, kind)
		for name, b := range map[string][]byte{
			"cut":            body[:len(body)-1],
			"cut at half":    body[:len(body)/2],
			"cut to nothing": {},
			"followed":       append(bytes.Clone(body), 0x70),
		} {
			got, err := decompress(nil, b, kind, len(raw))
			var refused *decompressError
			if !errors.As(err, &refused) || got != nil {
				t.Errorf("%v %s: got %d bytes, %v", kind, name, len(got), err)
			}
		}
	}
	for _, kind := range []sls.Compression{"gzip"} {
		if _, err := decompress(nil, raw, kind, len(raw)); !errors.Is(err, errCompression) {
			t.Errorf("%v: got %v", kind, err)
		}
	}
}

func TestZstdWithoutSize(t *testing.T) {
	// An encoder that does not know how much will come leaves the size out.
	raw := benchPage(t, 300<<10)
	body := streamZstd(t, raw)
	dst := make([]byte, len(raw))
	got, err := decompress(dst, body, sls.Zstd, len(raw))
	if err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	for _, size := range []int{len(raw) - 1, len(raw) / 2, 1, 0} {
		if _, err := decompress(dst, body, sls.Zstd, size); !errors.Is(err, errRawSize) && !errors.Is(err, errCorrupt) {
			t.Errorf("announced as %d: got %v", size, err)
		}
	}
}

// TestAnnouncedSizeTakesNoMemory: a page gets no memory for what its body cannot be.
func TestAnnouncedSizeTakesNoMemory(t *testing.T) {
	const size = 60 << 20
	window := unhex(t, "28b52ffd 0080 000000")             // a zstd frame with a window of 64 MiB
	content := unhex(t, "28b52ffd a0 0000c003 040010ffff") // one that says it has 60 MiB
	s, err := New(&shelf{}, Options{})
	must(t, err)
	r := &reader{source: s}
	for _, kind := range []sls.Compression{sls.None, sls.LZ4, sls.Zstd, "gzip"} {
		for _, body := range [][]byte{window, content, {0xf0}, nil} {
			n := allocated(func() {
				_, err := r.chunk(sls.Page{Next: "x", Count: 1, RawSize: size, Compression: kind, Body: body}, nil)
				if !errors.Is(err, errRawSize) && !errors.Is(err, errCompression) {
					t.Errorf("%v of %x: %v", kind, body, err)
				}
				if _, err := decompress(nil, body, kind, size); err == nil {
					t.Errorf("%v of %x is taken", kind, body)
				}
			})
			if n > 64<<10 {
				t.Errorf("%v of %x allocates %d KiB", kind, body, n>>10)
			}
		}
	}
}

func TestDecompressAllocatesNothing(t *testing.T) {
	raw := benchPage(t, 100<<10)
	dst := make([]byte, len(raw))
	// Zstd has pools of its own, which the race detector empties at random.
	for kind, most := range map[sls.Compression]float64{sls.LZ4: 0, sls.Zstd: 10} {
		body := compressAs(t, raw, kind)
		if n := testing.AllocsPerRun(50, func() { _, _ = decompress(dst, body, kind, len(raw)) }); n > most {
			t.Errorf("%v allocates %v times", kind, n)
		}
	}
}

func TestTwinLZ4(t *testing.T) {
	raw := benchPage(t, 10<<10)
	for _, r := range [][]byte{raw, raw[:20], bytes.Repeat([]byte("abc"), 5000)} {
		b := make([]byte, lz4.CompressBlockBound(len(r)))
		n, err := lz4.CompressBlock(r, b, nil)
		must(t, err)
		if got, ok := twinLZ4(b[:n], len(r)); !ok || !bytes.Equal(got, r) {
			t.Errorf("the twin got %d bytes, %v, want %d", len(got), ok, len(r))
		}
	}
}
