package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"slices"
)

// check is the result of an independent check of one source. Code that the workers do
// not use reads the whole file once more, and looks up each line in the sink.
type check struct {
	src       *source
	lines     int    // that the file has
	processed int    // of these, with a result in the sink
	missing   []int  // numbers, from 1, of lines that were committed and have no result
	open      int    // lines after the last commits
	want, got uint64 // the checksum of the processed lines, as read now and as stored
}

// sound reports whether every committed line was processed, with the same bytes as in
// the file.
func (c *check) sound() bool { return len(c.missing) == 0 && c.want == c.got }

// sound reports whether all checks are sound.
func sound(checks []*check) bool {
	return !slices.ContainsFunc(checks, func(c *check) bool { return !c.sound() })
}

// complete reports whether all lines of all files were processed and committed.
func complete(checks []*check) bool {
	return sound(checks) && !slices.ContainsFunc(checks, func(c *check) bool { return c.open > 0 })
}

// verify checks all sources. All workers must have ended.
func (w *work) verify() ([]*check, error) {
	var checks []*check
	spans := w.order
	for _, src := range w.sources {
		n := 0
		for n < len(spans) && spans[n].src == src {
			n++
		}
		c := &check{src: src}
		if err := w.verifySource(c, spans[:n]); err != nil {
			return nil, err
		}
		checks = append(checks, c)
		spans = spans[n:]
	}
	return checks, nil
}

func (w *work) verifySource(c *check, spans []*span) error {
	for _, s := range spans {
		if r := w.sink.stored(s.id); r != nil {
			c.got += r.sum
		}
	}
	number := 0 // of the line in its span
	return eachLine(c.src, func(offset int64, crc uint64) error {
		for offset >= spans[0].end {
			spans, number = spans[1:], 0
		}
		s := spans[0]
		committed, err := w.committed(s)
		if err != nil {
			return err
		}
		c.lines++
		switch {
		case w.sink.stored(s.id).has(number):
			c.processed++
			c.want += lineSum(number, crc)
		case offset < committed.offset:
			c.missing = append(c.missing, c.lines)
		}
		if offset >= committed.offset {
			c.open++
		}
		number++
		return nil
	})
}

// eachLine calls f for every line of a source, with its offset and the CRC of its
// bytes.
func eachLine(src *source, f func(offset int64, crc uint64) error) error {
	buf := make([]byte, 256<<10)
	var crc uint64
	start, at := int64(0), int64(0)
	for at < src.size {
		n, err := src.ReadAt(buf[:min(int64(len(buf)), src.size-at)], at)
		if n == 0 {
			if errors.Is(err, io.EOF) {
				err = errors.New("it became shorter while it was read")
			}
			return fmt.Errorf("%s: %w", src.label, reason(err))
		}
		for rest := buf[:n]; len(rest) > 0; {
			i := bytes.IndexByte(rest, '\n') + 1
			size := i
			if i == 0 {
				size = len(rest)
			}
			crc = crc64.Update(crc, crcTable, rest[:size])
			rest, at = rest[size:], at+int64(size)
			if i > 0 || at == src.size {
				if err := f(start, crc); err != nil {
					return err
				}
				start, crc = at, 0
			}
		}
	}
	return nil
}
