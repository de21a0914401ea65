// Package zstdframe compresses with zstd as all clients of the service can read it, for the
// client and the server alike.
package zstdframe

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// small is the size below which a frame tells its size only as a single segment. Larger
// ones always do, and as single segments would want a larger window.
const small = 256

// One encoder of each kind is for all: EncodeAll may be called concurrently.
var (
	encoder      = sync.OnceValue(func() *zstd.Encoder { return newEncoder() })
	smallEncoder = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.WithSingleSegment(true)) })
)

func newEncoder(more ...zstd.EOption) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, append(more, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))...)
	if err != nil {
		panic(err) // the options are wrong
	}
	return e
}

// Encode returns a frame that tells its size: Python reads no other.
func Encode(raw []byte) []byte {
	if len(raw) < small {
		return smallEncoder().EncodeAll(raw, nil)
	}
	return encoder().EncodeAll(raw, nil)
}
