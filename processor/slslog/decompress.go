package slslog

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// decompress decompresses src to the beginning of dst, and returns exactly rawSize bytes. It never
// writes more, whatever src contains. If the capacity of dst is too small, it allocates a new slice.
// The caller bounds rawSize. Errors are *decompressError.
func decompress(dst, src []byte, kind sls.Compression, rawSize int) ([]byte, error) {
	if rawSize < 0 {
		return nil, &decompressError{Compression: kind, RawSize: rawSize, Err: errRawSize}
	}
	if rawSize == 0 && len(src) == 0 {
		return dst[:0], nil // in any compression
	}
	if err := checkRaw(kind, len(src), rawSize); err != nil {
		return nil, err
	}
	if cap(dst) < rawSize {
		dst = make([]byte, rawSize)
	}
	n, err := inflate(dst[:rawSize:rawSize], src, kind)
	if err == nil && n != rawSize {
		err = fmt.Errorf("%w: the body has %d raw bytes", errRawSize, n)
	}
	if err != nil {
		return nil, &decompressError{Compression: kind, RawSize: rawSize, Err: err}
	}
	return dst[:rawSize], nil
}

// checkRaw refuses a body of n bytes that cannot decompress to rawSize bytes, before memory is allocated
// for it. One byte of lz4 expands to at most 255 bytes, and four bytes of zstd to a block of 128 KiB.
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
		return &decompressError{Compression: kind, RawSize: rawSize, Err: fmt.Errorf("%w: a body of %d bytes is too short", errRawSize, n)}
	}
	return nil
}

// inflate decompresses src to dst and returns how many bytes it has written. It is an error if dst is
// too small.
func inflate(dst, src []byte, kind sls.Compression) (int, error) {
	switch kind {
	case sls.None:
		if len(src) > len(dst) {
			return 0, fmt.Errorf("%w: the body has %d raw bytes", errRawSize, len(src))
		}
		return copy(dst, src), nil
	case "", sls.LZ4:
		n, err := lz4.UncompressBlock(src, dst)
		if err != nil {
			// The error does not distinguish a block that is too long from a corrupt one.
			return 0, fmt.Errorf("%w: %w", errCorrupt, err)
		}
		return n, nil
	case sls.Zstd:
		return unzstd(dst, src)
	}
	return 0, errCompression
}

// zstdDecoder is shared by all Sources. It decodes up to four pages at a time, but no more than there
// are CPUs. It writes only into the capacity of the slice that it gets, so no frame can make it
// allocate memory.
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
		return 0, fmt.Errorf("%w: the body has more raw bytes", errRawSize)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return copy(dst, out), nil // out is the same memory
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
	// errRawSize: the body does not decompress to exactly the announced raw size. If it is larger, the
	// error may be errCorrupt instead.
	errRawSize = errors.New("raw size is not as announced")

	// errCorrupt: the body is not valid in its compression.
	errCorrupt = errors.New("corrupt body")

	errCompression = errors.New("unknown compression")
)
