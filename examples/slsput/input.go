package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/processor/slslog"
)

// input is the lines of some files, or of standard input.
type input struct {
	files  []*os.File
	stdin  io.Reader
	repeat int // zero: for ever
}

// openInput opens all files, so that one that is missing is known before the first line
// was put.
func openInput(names []string, stdin io.Reader, repeat int) (*input, error) {
	in := &input{stdin: stdin, repeat: repeat}
	for _, name := range names {
		f, err := os.Open(name)
		if err == nil {
			in.files = append(in.files, f)
			var info os.FileInfo
			if info, err = f.Stat(); err == nil && info.IsDir() {
				err = fmt.Errorf("%s is a directory", name)
			}
		}
		if err != nil {
			in.close()
			return nil, err
		}
	}
	return in, nil
}

func (in *input) close() {
	for _, f := range in.files {
		_ = f.Close() // it was only read
	}
}

// line is one line and where it comes from.
type line struct {
	text   []byte
	origin string
	number int
}

// wrong is an error about the line.
func (l line) wrong(err error) error { return fmt.Errorf("%s:%d: %w", l.origin, l.number, err) }

// read sends the lines that are not empty, at the rate if there is one.
func (in *input) read(ctx context.Context, rate float64, lines chan<- line) error {
	began, sent := time.Now(), 0
	send := func(l line) error {
		if rate > 0 {
			due := began.Add(time.Duration(float64(sent) / rate * float64(time.Second)))
			if err := sleep(ctx, time.Until(due)); err != nil {
				return err
			}
		}
		select {
		case lines <- l:
			sent++
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if len(in.files) == 0 {
		return scan(in.stdin, "standard input", send)
	}
	for round := 0; in.repeat == 0 || round < in.repeat; round++ {
		before := sent
		for _, f := range in.files {
			if round > 0 {
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					return err
				}
			}
			if err := scan(f, f.Name(), send); err != nil {
				return err
			}
		}
		if sent == before {
			return nil // for ever nothing is not worth the trouble
		}
	}
	return nil
}

// scan calls send for each line that is not empty.
func scan(r io.Reader, origin string, send func(line) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), slslog.MaxLogBytes+2) // and the end of the line
	l := line{origin: origin}
	for s.Scan() {
		l.number++
		if l.text = bytes.Clone(s.Bytes()); len(l.text) == 0 {
			continue
		}
		if err := send(l); err != nil {
			return err
		}
	}
	l.number++
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return l.wrong(fmt.Errorf("the line is longer than a log can be, %d bytes", slslog.MaxLogBytes))
	} else if err != nil {
		return l.wrong(err)
	}
	return nil
}

// sleep returns an error if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
