package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
)

// A file is read in chunks. If a line is longer than a chunk, only its first bytes are
// kept, so that no line is too long for the memory. They show what the line is.
const (
	chunk = 64 << 10
	keep  = 4 << 10
)

// line is one line of a span.
type line struct {
	number int    // in its span, from 0
	text   []byte // without its ending, and cut off if it is very long
	sum    uint64 // of all its bytes, see lineSum
	next   place  // where the next line starts
}

// lineReader reads the lines of a span.
type lineReader struct {
	span *span
	buf  *bufio.Reader
	at   place // the next line
}

// read returns a reader of the span's lines from a place on.
func (s *span) read(from place) *lineReader {
	rest := io.NewSectionReader(s.src, from.offset, s.end-from.offset)
	return &lineReader{span: s, buf: bufio.NewReaderSize(rest, chunk), at: from}
}

// atEnd reports whether there is no further line.
func (r *lineReader) atEnd() bool { return r.at.offset == r.span.end }

// next reads a line; there must be one. A last line without a line ending is a line.
func (r *lineReader) next() (line, error) {
	var crc uint64
	var size int64
	var text []byte
	for {
		part, err := r.buf.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if size == 0 {
			text = part
			if long {
				text = part[:keep]
			}
			text = bytes.Clone(bytes.TrimRight(text, "\r\n")) // what is read next overwrites it
		}
		crc = crc64.Update(crc, crcTable, part)
		size += int64(len(part))
		switch {
		case long:
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return line{}, fmt.Errorf("%s: %w", r.span.src.label, reason(err))
		case err != nil && r.at.offset+size != r.span.end:
			return line{}, fmt.Errorf("%s: it became shorter while it was read", r.span.src.label)
		}
		break
	}
	l := line{number: r.at.line, text: text, sum: lineSum(r.at.line, crc), next: place{r.at.offset + size, r.at.line + 1}}
	r.at = l.next
	return l, nil
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// lineSum combines a line's number in its span and the CRC of its bytes. The sums of
// several lines can be added in any order.
func lineSum(number int, crc uint64) uint64 {
	x := crc ^ uint64(number+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return x ^ x>>32
}
