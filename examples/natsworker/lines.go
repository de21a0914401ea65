package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rollcall-go/rollcall/processor"
)

// lines writes whole lines for many shards. Who waits for it can stop waiting, also
// while another one's write hangs because nobody reads.
type lines struct {
	w    io.Writer
	turn chan struct{} // held for one write
}

func newLines(w io.Writer) *lines { return &lines{w: w, turn: make(chan struct{}, 1)} }

// write writes lines in one write, if check allows it when it is their turn. That it
// fails is fatal: who read it is gone.
func (l *lines) write(ctx context.Context, text []byte, check func() error) error {
	if len(text) == 0 {
		return check()
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := check(); err != nil {
		return err
	}
	n, err := l.w.Write(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
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
