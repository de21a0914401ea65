package sls

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// unpack is how a server reads a put.
func unpack(t *testing.T, s sent, size int) []byte {
	t.Helper()
	switch typ := s.Header.Get(headerCompressType); typ {
	case "":
		return s.body
	case "lz4":
		raw := make([]byte, size)
		n, err := lz4.UncompressBlock(s.body, raw)
		if err != nil {
			t.Fatal(err)
		}
		return raw[:n]
	case "zstd":
		d, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		raw, err := d.DecodeAll(s.body, nil)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	default:
		t.Fatalf("it is compressed as %q", typ)
		return nil
	}
}

func TestPut(t *testing.T) {
	noise := make([]byte, 100_000)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(noise)
	for _, raw := range [][]byte{{1}, sampleGroup, bytes.Repeat([]byte("log "), 50_000), noise[:14], noise[:15], noise[:270], noise} {
		for _, c := range []Compression{"", LZ4, Zstd, None} {
			w := fixed(opPut)
			if err := newClient(t, config(w)).Put(t.Context(), raw, PutOptions{Compression: c}); err != nil {
				t.Fatal(err)
			}
			equalBytes(t, "a put in "+string(c), unpack(t, w.sent[0], len(raw)), raw)
			if len(w.sent[0].body) > len(raw)+len(raw)/200+32 {
				t.Errorf("%d bytes became %d in %v", len(raw), len(w.sent[0].body), c)
			}
		}
	}
}

// Decoders of some languages want the size in the frame.
func TestZstdFramesTellTheirSize(t *testing.T) {
	for _, n := range []int{1, 2, 254, 255, 256, 257, 1023, 65_536, 100_000} {
		frame, err := Zstd.compress(bytes.Repeat([]byte{7}, n))
		var h zstd.Header
		if err != nil || h.Decode(frame) != nil || !h.HasFCS || h.FrameContentSize != uint64(n) {
			t.Errorf("the frame of %d bytes has the header %+v (%v)", n, h, err)
		}
	}
}

// A block of literals is what a decoder takes, at every length where its form changes.
func TestLiteralBlock(t *testing.T) {
	equalBytes(t, "the sample", literalBlock(sampleGroup), sampleBlock)
	for _, n := range []int{0, 1, 14, 15, 16, 269, 270, 271, 524, 525, 526, 100_000} {
		raw := bytes.Repeat([]byte{7}, n)
		got := make([]byte, n)
		m, err := lz4.UncompressBlock(literalBlock(raw), got)
		if err != nil || m != n {
			t.Errorf("%d bytes came back as %d (%v)", n, m, err)
		}
		equalBytes(t, "the block", got, raw)
	}
}

// Compressors are shared between calls, but not between two at once.
func TestPutsAtOnce(t *testing.T) {
	w := fixed(opPut)
	c := newClient(t, config(w))
	raw := bytes.Repeat([]byte("log "), 5_000)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if err := c.Put(t.Context(), raw, PutOptions{Compression: []Compression{"", LZ4, Zstd, None}[i%4]}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range w.sent {
		equalBytes(t, "a put", unpack(t, s, len(raw)), raw)
	}
}
