package slsserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// block is one log group as an lz4 block. Joining blocks into a page is 20 times as fast as
// compressing the page. It is possible for two reasons. A block ends with a sequence that has only
// literals, and these merge with the first literals of the next block. And a match refers only to
// data of its own block.
type block struct {
	data []byte
	raw  int32 // bytes when decompressed

	// Where the block can be joined: the literals of the first sequence are
	// data[firstLit:firstEnd]; the last sequence is data[last:], its literals data[lastLit:].
	firstLit, firstEnd, last, lastLit int32
}

var errNotLZ4 = errors.New("not an lz4 block of that size")

// The format requires that the last five bytes are literals and that no match begins within the
// last twelve bytes. Some decoders rely on it.
const (
	lz4LastLiterals = 5
	lz4MatchLimit   = 12
)

// readBlock reads an lz4 block and finds where it can be joined. It refuses a block that a strict
// decoder might refuse.
func readBlock(data []byte, raw int) (block, error) {
	b := block{data: data, raw: int32(raw), firstEnd: -1}
	pos, out, lastMatch := 0, 0, -1
	for {
		if pos >= len(data) {
			return block{}, errNotLZ4
		}
		token := pos
		lit, next, ok := lz4Length(data, pos+1, int(data[pos]>>4))
		if !ok || lit > len(data)-next {
			return block{}, errNotLZ4
		}
		pos = next + lit
		out += lit
		if b.firstEnd < 0 {
			b.firstLit, b.firstEnd = int32(next), int32(pos)
		}
		if pos == len(data) {
			b.last, b.lastLit = int32(token), int32(next)
			if out != raw || data[token]&15 != 0 || lastMatch >= 0 && (lit < lz4LastLiterals || lastMatch > raw-lz4MatchLimit) {
				return block{}, errNotLZ4
			}
			return b, nil
		}
		if len(data)-pos < 2 {
			return block{}, errNotLZ4
		}
		offset := int(binary.LittleEndian.Uint16(data[pos:]))
		match, next, ok := lz4Length(data, pos+2, int(data[token]&15))
		if !ok || offset == 0 || offset > out {
			return block{}, errNotLZ4
		}
		lastMatch = out
		out += match + 4
		if out > raw {
			return block{}, errNotLZ4
		}
		pos = next
	}
}

// lz4Length reads a length. The token has its first part, n; if n is 15, the rest is at pos. It
// returns the position after the rest.
func lz4Length(data []byte, pos, n int) (length, next int, ok bool) {
	if n < 15 {
		return n, pos, true
	}
	for pos < len(data) {
		n += int(data[pos])
		pos++
		if data[pos-1] != 255 {
			return n, pos, true
		}
	}
	return 0, 0, false
}

var compressors = sync.Pool{New: func() any { return new(lz4.Compressor) }}

// newBlock compresses a log group.
func newBlock(group []byte) (block, error) {
	buf := takeBuffer(lz4.CompressBlockBound(len(group)))
	defer giveBuffer(buf)
	c := compressors.Get().(*lz4.Compressor)
	n, err := c.CompressBlock(group, *buf)
	compressors.Put(c)
	if err == nil && n > 0 && n < len(group) {
		data := append([]byte(nil), (*buf)[:n]...)
		if b, err := readBlock(data, len(group)); err == nil {
			return b, nil
		}
	}
	return readBlock(appendLiterals(nil, 0, group), len(group))
}

// appendLiterals appends the token of a sequence and its literals. The lower half of the token is
// low.
func appendLiterals(dst []byte, low byte, literals ...[]byte) []byte {
	n := 0
	for _, l := range literals {
		n += len(l)
	}
	if n < 15 {
		dst = append(dst, byte(n)<<4|low)
	} else {
		dst = append(dst, 0xf0|low)
		rest := n - 15
		for ; rest >= 255; rest -= 255 {
			dst = append(dst, 255)
		}
		dst = append(dst, byte(rest))
	}
	for _, l := range literals {
		dst = append(dst, l...)
	}
	return dst
}

// clipped copies data if its buffer is much larger, so that a stored block does not keep that
// buffer.
func clipped(data []byte) []byte {
	if cap(data)-len(data) <= 16+len(data)/4 {
		return data
	}
	return append([]byte(nil), data...)
}

// decode appends the log group to dst.
func (b *block) decode(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = grow(dst, int(b.raw))
	n, err := lz4.UncompressBlock(b.data, dst[start:])
	if err != nil || n != int(b.raw) {
		return dst[:start], fmt.Errorf("a stored log group is damaged: %w", errNotLZ4)
	}
	return dst, nil
}

// grow lengthens dst by n bytes.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		dst = append(make([]byte, 0, len(dst)+n), dst...)
	}
	return dst[:len(dst)+n]
}

// joinBlocks joins the blocks of log groups into the lz4 block of a LogGroupList, and appends it to
// dst. In the list, a tag and a length precede each log group.
func joinBlocks(dst []byte, blocks []block) []byte {
	var pending []byte // literals that are not in dst yet
	for i := range blocks {
		b := &blocks[i]
		pending = appendListHeader(pending, int(b.raw))
		if b.last == 0 { // only literals
			pending = append(pending, b.data[b.lastLit:]...)
			continue
		}
		dst = appendLiterals(dst, b.data[0]&15, pending, b.data[b.firstLit:b.firstEnd])
		dst = append(dst, b.data[b.firstEnd:b.last]...)
		pending = append(pending[:0], b.data[b.lastLit:]...)
	}
	return appendLiterals(dst, 0, pending)
}

// appendListHeader appends the tag and the length of a log group in a LogGroupList.
func appendListHeader(dst []byte, n int) []byte {
	return binary.AppendUvarint(append(dst, 0x0a), uint64(n))
}

// listSize is how many bytes a log group of n bytes takes in a LogGroupList.
func listSize(n int) int {
	size := n + 2
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// buffers pools buffers of up to maxPooled bytes, for pages and log groups.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooled = 16 << 20

// takeBuffer returns a buffer of length n.
func takeBuffer(n int) *[]byte {
	b := buffers.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return b
}

func giveBuffer(b *[]byte) {
	if cap(*b) <= maxPooled {
		buffers.Put(b)
	}
}
