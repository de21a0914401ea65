package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc64"
	"io"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// span is one shard: the lines of a log that start at a byte from begin up to, but
// not including, end.
//
// A shard is a range of bytes because that makes the position the simplest there is,
// the offset of the next line: to resume is to seek. Dealing lines out by number
// modulo the shards would have every worker read the whole file, or need an index.
type span struct {
	id         shardset.ID
	src        *source
	begin, end int64
}

// divide cuts the sources into about n spans in all: each source into its share by
// size, at least one, and none into more than it has lines. An empty source is one
// empty span.
func divide(sources []*source, n int) ([]*span, error) {
	var total int64
	for _, src := range sources {
		total += src.size
	}
	var spans []*span
	for _, src := range sources {
		share := 1
		if total > 0 {
			share = max(1, int(float64(n)*float64(src.size)/float64(total)+0.5))
		}
		cuts, err := src.cuts(share)
		if err != nil {
			return nil, err
		}
		for i, begin := range cuts[:len(cuts)-1] {
			id := shardset.ID{Log: src.log, Number: i}
			spans = append(spans, &span{id: id, src: src, begin: begin, end: cuts[i+1]})
		}
	}
	return spans, nil
}

// cuts returns the bounds of at most n spans: 0, starts of lines in order, the size.
func (s *source) cuts(n int) ([]int64, error) {
	cuts := []int64{0}
	for i := range n {
		target := s.size * int64(i) / int64(n)
		if target <= cuts[len(cuts)-1] {
			continue // inside a line that is longer than a share
		}
		start, err := s.lineStart(target)
		if err != nil {
			return nil, err
		}
		if start < s.size {
			cuts = append(cuts, start)
		}
	}
	return append(cuts, s.size), nil
}

// lineStart returns where the first line at or after offset starts, or the size.
func (s *source) lineStart(offset int64) (int64, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(s, offset-1, s.size-(offset-1)), chunk)
	at := offset - 1
	for {
		part, err := r.ReadSlice('\n')
		at += int64(len(part))
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return at, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return 0, fmt.Errorf("%s: %w", s.label, reason(err))
		}
	}
}

// place is a position in a span: the byte at which the next line starts, and how
// many lines of the span come before it.
type place struct {
	offset int64
	line   int
}

func (p place) position() processor.Position {
	return processor.Position(fmt.Sprintf("%d:%d", p.offset, p.line))
}

func parsePlace(pos processor.Position) (p place, err error) {
	if _, err = fmt.Sscanf(string(pos), "%d:%d", &p.offset, &p.line); err != nil || p.position() != pos {
		return place{}, fmt.Errorf("%q is not a position", pos)
	}
	return p, nil
}

// resume returns the place to go on from: the committed one, or the beginning.
func (s *span) resume(committed processor.Position, found bool) (place, error) {
	if !found {
		return place{offset: s.begin}, nil
	}
	p, err := parsePlace(committed)
	if err == nil && (p.offset < s.begin || p.offset > s.end || p.line < 0) {
		err = fmt.Errorf("position %q is not in shard %s", committed, s.id)
	}
	return p, err
}

// A file is read in chunks. Of a line that is longer than one, the first bytes are
// kept, enough to see what it is: no line is too long for the memory.
const (
	chunk = 64 << 10
	keep  = 4 << 10
)

// line is one line of a span.
type line struct {
	number int    // in its span, from 0
	text   []byte // without its ending, and cut off if it is very long; good until the next read
	sum    uint64 // of all its bytes, see lineSum
}

// reader reads the lines of a span.
type reader struct {
	span *span
	buf  *bufio.Reader
	at   place // the next line
}

// read returns a reader of the span's lines from a place on.
func (s *span) read(from place) *reader {
	rest := io.NewSectionReader(s.src, from.offset, s.end-from.offset)
	return &reader{span: s, buf: bufio.NewReaderSize(rest, chunk), at: from}
}

// next reads a line. The error is io.EOF at the end of the span. A last line without
// a line ending is a line.
func (r *reader) next() (line, error) {
	var crc uint64
	var size int64
	var text []byte
	for {
		part, err := r.buf.ReadSlice('\n')
		crc = crc64.Update(crc, crcTable, part)
		if size == 0 {
			text = part
		}
		size += int64(len(part))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if len(text) > keep { // the next read overwrites it
				text = bytes.Clone(text[:keep])
			}
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return line{}, fmt.Errorf("%s: %w", r.span.src.label, reason(err))
		case err != nil && r.at.offset+size != r.span.end:
			return line{}, fmt.Errorf("%s: it became shorter while it was read", r.span.src.label)
		case size == 0:
			return line{}, io.EOF
		}
		break
	}
	l := line{number: r.at.line, text: bytes.TrimRight(text, "\r\n"), sum: lineSum(r.at.line, crc)}
	r.at.offset += size
	r.at.line++
	return l, nil
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// lineSum makes of a line's number in its span and the CRC of its bytes a number
// that can be added to others in any order.
func lineSum(number int, crc uint64) uint64 {
	x := crc ^ uint64(number+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return x ^ x>>32
}
