package sls

import (
	"cmp"
	"fmt"
	"sync"

	"github.com/pierrec/lz4/v4"

	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/zstdframe"
)

// Compression is the compression of log data in requests and answers. Empty means LZ4.
type Compression string

const (
	// LZ4 is one lz4 block, without a frame and without a size in front of it.
	LZ4 Compression = "lz4"
	// Zstd is one zstd frame.
	Zstd Compression = "zstd"
	// None is no compression. The service may still send a page in LZ4; Page.Compression shows what
	// it sent.
	None Compression = "none"
)

func (c Compression) valid() bool { return c == "" || c == LZ4 || c == Zstd || c == None }

// name returns the compression header of a put; empty means no header.
func (c Compression) name() string {
	if c == None {
		return ""
	}
	return string(cmp.Or(c, LZ4))
}

// accept returns the Accept-Encoding header of a pull. "identity" prevents net/http from asking for
// gzip, which the service does not know.
func (c Compression) accept() string {
	if c == None {
		return "identity"
	}
	return string(cmp.Or(c, LZ4))
}

// parseCompression reads the compression header of a page. It does not know the old "deflate",
// because the client never asks for it.
func parseCompression(s string) (Compression, error) {
	switch s {
	case "":
		return None, nil
	case "lz4":
		return LZ4, nil
	case "zstd":
		return Zstd, nil
	}
	return "", fmt.Errorf("its compression %s is unknown", shown(s))
}

func (c Compression) compress(raw []byte) ([]byte, error) {
	switch c {
	case None:
		return raw, nil
	case Zstd:
		return zstdframe.Encode(raw), nil
	}
	return compressLZ4(raw)
}

var lz4Compressors = sync.Pool{New: func() any { return new(lz4.Compressor) }}

func compressLZ4(raw []byte) ([]byte, error) {
	l := lz4Compressors.Get().(*lz4.Compressor)
	defer lz4Compressors.Put(l)
	block := make([]byte, lz4.CompressBlockBound(len(raw)))
	n, err := l.CompressBlock(raw, block)
	if err != nil {
		return nil, err
	}
	if n == 0 { // the data cannot be compressed
		return literalBlock(raw), nil
	}
	return block[:n], nil
}

// literalBlock returns an lz4 block of one sequence that has only literals.
func literalBlock(raw []byte) []byte {
	n := len(raw)
	b := make([]byte, 0, n+n/255+2)
	if n < 15 {
		b = append(b, byte(n<<4))
	} else {
		b = append(b, 0xf0)
		for n -= 15; n >= 255; n -= 255 {
			b = append(b, 255)
		}
		b = append(b, byte(n))
	}
	return append(b, raw...)
}
