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
// allocates a new slice if dst has no room for them. Errors are *DecompressError. The
// caller bounds rawSize.
func decompress(dst, src []byte, kind sls.Compression, rawSize int) ([]byte, error) {
	if rawSize < 0 {
		return nil, &DecompressError{Compression: kind, RawSize: rawSize, Err: ErrRawSize}
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
		err = fmt.Errorf("%w: there are %d", ErrRawSize, n)
	}
	if err != nil {
		return nil, &DecompressError{Compression: kind, RawSize: rawSize, Err: err}
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
	case 0, sls.LZ4:
		most *= 255
	case sls.Zstd:
		most = most / 4 << 17
	default:
		return &DecompressError{Compression: kind, RawSize: rawSize, Err: ErrCompression}
	}
	if int64(rawSize) > most {
		return &DecompressError{Compression: kind, RawSize: rawSize, Err: fmt.Errorf("%w: %d bytes cannot be as many", ErrRawSize, n)}
	}
	return nil
}

// inflate fills dst and returns how much of it src has filled. More than that is an
// error.
func inflate(dst, src []byte, kind sls.Compression) (int, error) {
	switch kind {
	case sls.None:
		if len(src) > len(dst) {
			return 0, fmt.Errorf("%w: there are %d", ErrRawSize, len(src))
		}
		return copy(dst, src), nil
	case 0, sls.LZ4:
		n, err := lz4.UncompressBlock(src, dst)
		if err != nil {
			// It does not tell a block that is too long from one that makes no sense.
			return 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return n, nil
	case sls.Zstd:
		return unzstd(dst, src)
	}
	return 0, ErrCompression
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
		return 0, fmt.Errorf("%w: there are more", ErrRawSize)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return copy(dst, out), nil // onto itself
}
