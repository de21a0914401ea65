package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// span is one shard: the lines of a log that start at the byte begin or after it, and
// before the byte end.
//
// A shard is a range of bytes, so a position is simple: the offset of the next line. To
// resume, a worker seeks to it. If lines were dealt out by their numbers, every worker
// would have to read the whole file, or need an index.
type span struct {
	id         shardset.ID
	src        *source
	begin, end int64
}

// divide cuts all sources into about n spans. The number of spans of a source is in
// proportion to its size: at least one, and at most one for each line. An empty source
// is one empty span.
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

// resume returns the place where reading continues: the committed one, or the beginning
// if nothing was committed.
func (s *span) resume(committed processor.Position) (place, error) {
	if committed == "" {
		return place{offset: s.begin}, nil
	}
	p, err := parsePlace(committed)
	if err == nil && (p.offset < s.begin || p.offset > s.end || p.line < 0) {
		err = fmt.Errorf("position %q is not in shard %s", committed, s.id)
	}
	return p, err
}
