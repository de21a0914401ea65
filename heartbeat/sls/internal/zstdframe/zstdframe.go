// Package zstdframe compresses log data with zstd, so that all clients of the service can read it.
// Packages sls and slsserver use it.
package zstdframe

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The encoder writes the size of data shorter than small bytes into the frame only if the frame is
// a single segment. For other data it always writes the size, and a single segment would need a
// larger window.
const small = 256

// All goroutines share these encoders: EncodeAll is safe for concurrent use.
var (
	encoder      = sync.OnceValue(func() *zstd.Encoder { return newEncoder() })
	smallEncoder = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.WithSingleSegment(true)) })
)

func newEncoder(more ...zstd.EOption) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, append(more, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))...)
	if err != nil {
		panic(err) // an option is wrong
	}
	return e
}

// Encode returns a zstd frame of raw. The frame contains the size of raw, because Python clients
// cannot read a frame without it.
func Encode(raw []byte) []byte {
	if len(raw) < small {
		return smallEncoder().EncodeAll(raw, nil)
	}
	return encoder().EncodeAll(raw, nil)
}
