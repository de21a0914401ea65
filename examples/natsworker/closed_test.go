package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// A context ends when its connection is closed, whether that comes later or was before.
func TestWhileOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	for _, before := range []bool{true, false} {
		nc, err := nats.Connect(r.server.ClientURL())
		must(t, err)
		if before {
			nc.Close()
		}
		ctx, cancel := whileOpen(t.Context(), nc)
		defer cancel()
		nc.Close()
		<-ctx.Done()
		if err := context.Cause(ctx); !errors.As(err, new(*closedError)) || !errors.Is(err, nats.ErrConnectionClosed) {
			t.Errorf("closed before: %v; it ended with %v", before, err)
		}
	}
}

// TestClosed: a worker whose connection for data is closed ends with an error, though its
// heartbeats are answered.
func TestClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	o, err := parse(r.args("-events", "-output", "none"))
	must(t, err)
	control, err := o.servers.Connect("control")
	must(t, err)
	defer control.Close()
	data, err := o.servers.Connect("data")
	must(t, err)
	defer data.Close()
	out := newText()
	w := &worker{o: o, log: zap.NewNop(), lines: newLines(out)}
	must(t, w.join(t.Context(), control, data))
	defer w.group.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = w.run(t.Context(), data, io.Discard)
	}()
	out.await(t, ended, func(s string) bool { return strings.Count(s, `"started"`) == 2 })
	data.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	if !errors.As(err, new(*closedError)) {
		t.Errorf("it ended with %v", err)
	}
	if err := w.source.Close(); err != nil {
		t.Errorf("what is closed cannot be closed: %v", err)
	}
}
