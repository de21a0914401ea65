package slslog

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// decompress decompresses src into dst's memory, from its beginning, and returns what it
// has written: exactly rawSize bytes. It never writes more, whatever src says, and
// allocates a new slice if dst has no room for them. Errors are *decompressError. The
// caller bounds rawSize.
func decompress(dst, src []byte, kind sls.Compression, rawSize int) ([]byte, error) {
	if rawSize < 0 {
		return nil, &decompressError{Compression: kind, RawSize: rawSize, Err: errRawSize}
	}
	if rawSize == 0 && len(src) == 0 {
		return dst[:0], nil // nothing is nothing in any compression
	}
	if err := checkRaw(kind, len(src), rawSize); err != nil {
		return nil, err
	}
	if cap(dst) < rawSize {
		dst = make([]byte, rawSize)
	}
	n, err := inflate(dst[:rawSize:rawSize], src, kind)
	if err == nil && n != rawSize {
		err = fmt.Errorf("%w: there are %d", errRawSize, n)
	}
	if err != nil {
		return nil, &decompressError{Compression: kind, RawSize: rawSize, Err: err}
	}
	return dst[:rawSize], nil
}

// checkRaw refuses a body of n bytes that cannot become rawSize bytes, so that nobody takes
// memory for it. The formats have bounds: a byte of lz4 stands for 255 at most, and four of
// zstd for a block of 128 KiB.
func checkRaw(kind sls.Compression, n, rawSize int) error {
	most := int64(n)
	switch kind {
	case sls.None:
	case "", sls.LZ4:
		most *= 255
	case sls.Zstd:
		most = most / 4 << 17
	default:
		return &decompressError{Compression: kind, RawSize: rawSize, Err: errCompression}
	}
	if int64(rawSize) > most {
		return &decompressError{Compression: kind, RawSize: rawSize, Err: fmt.Errorf("%w: %d bytes cannot be as many", errRawSize, n)}
	}
	return nil
}

// inflate fills dst and returns how much of it src has filled. More than that is an
// error.
func inflate(dst, src []byte, kind sls.Compression) (int, error) {
	switch kind {
	case sls.None:
		if len(src) > len(dst) {
			return 0, fmt.Errorf("%w: there are %d", errRawSize, len(src))
		}
		return copy(dst, src), nil
	case "", sls.LZ4:
		n, err := lz4.UncompressBlock(src, dst)
		if err != nil {
			// It does not tell a block that is too long from one that makes no sense.
			return 0, fmt.Errorf("%w: %w", errCorrupt, err)
		}
		return n, nil
	case sls.Zstd:
		return unzstd(dst, src)
	}
	return 0, errCompression
}

// zstdDecoder is shared by all. It allows as many pages at a time as there are
// processors, up to four; with one, the shards would wait for each other. It writes into
// the capacity that it is given only, so no frame can make it allocate a page.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
})

func unzstd(dst, src []byte) (int, error) {
	d, err := zstdDecoder()
	if err != nil {
		return 0, err
	}
	out, err := d.DecodeAll(src, dst[:0])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return 0, fmt.Errorf("%w: there are more", errRawSize)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return copy(dst, out), nil // onto itself
}

// decompressError says why a body could not be decompressed. It matches errRawSize,
// errCorrupt or errCompression.
type decompressError struct {
	Compression sls.Compression
	RawSize     int // as announced
	Err         error
}

func (e *decompressError) Error() string {
	return fmt.Sprintf("cannot decompress %s body of %d raw bytes: %v", e.Compression, e.RawSize, e.Err)
}

func (e *decompressError) Unwrap() error { return e.Err }

var (
	// errRawSize: the body does not decompress to exactly the announced raw size. A body
	// that is longer may count as corrupt.
	errRawSize = errors.New("raw size is not as announced")

	// errCorrupt: the body is not what its compression requires.
	errCorrupt = errors.New("corrupt body")

	errCompression = errors.New("unknown compression")
)
