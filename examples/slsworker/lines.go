package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/rollcall-go/rollcall/processor"
)

// lines writes whole lines for many shards. Who waits for it can stop waiting, also
// while another one's write hangs because nobody reads.
type lines struct {
	w     io.Writer
	free  chan []byte   // buffers: as many as can be filled at a time
	write chan struct{} // held for one write
}

const (
	// chunkBytes is when the lines so far are written.
	chunkBytes = 64 << 10
	// keptBytes is the largest buffer that is kept: a log can have a megabyte.
	keptBytes = 4 * chunkBytes
)

func newLines(w io.Writer) *lines {
	l := &lines{w: w, free: make(chan []byte, runtime.GOMAXPROCS(0)), write: make(chan struct{}, 1)}
	for range cap(l.free) {
		l.free <- nil
	}
	return l
}

// page is lines of one batch on their way.
type page struct {
	b     []byte // lines
	check func() error

	ctx   context.Context
	lines *lines
}

// begin waits for a buffer. It is to be given back with end.
func (l *lines) begin(ctx context.Context) (*page, error) {
	select {
	case b := <-l.free:
		return &page{b: b, ctx: ctx, lines: l}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *page) end() {
	if cap(p.b) > keptBytes {
		p.b = nil
	}
	p.lines.free <- p.b[:0]
}

// flush writes the lines in one write, if check allows it. That it fails is fatal: who
// read it is gone.
func (p *page) flush() error {
	if len(p.b) == 0 {
		return p.check()
	}
	select {
	case p.lines.write <- struct{}{}:
		defer func() { <-p.lines.write }()
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
	if err := p.check(); err != nil {
		return err
	}
	n, err := p.lines.w.Write(p.b)
	if err == nil && n < len(p.b) {
		err = io.ErrShortWrite
	}
	p.b = p.b[:0]
	if err != nil {
		return processor.Fatal(fmt.Errorf("writing to standard output: %w", plain(err)))
	}
	return nil
}

// plain leaves out "write /dev/stdout".
func plain(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return err
}
