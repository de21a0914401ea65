package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/cli"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/source"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// worker is the program's member of the group.
type worker struct {
	o      *options
	log    *zap.Logger
	group  *replicated.Client
	source *source.Source
	coord  *coordinator.Coordinator
	lines  *lines
	tally  tally
}

// work runs the worker, with all it needs, until ctx ends.
func work(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	log := o.logger(stderr)
	stop, err := o.serve(log, stderr)
	if err != nil {
		return err
	}
	defer stop()
	// Heartbeats have a connection of their own, in which no message is ahead of them.
	control, err := o.servers.Connect(o.member + " group")
	if err != nil {
		return err
	}
	defer control.Close()
	data, err := o.servers.Connect(o.member + " data")
	if err != nil {
		return err
	}
	defer data.Close()
	js, err := jetstream.New(data)
	if err != nil {
		return err
	}
	if err := cli.Ready(ctx, data, js, &o.stream); err != nil {
		if ctx.Err() != nil {
			return nil // told to end before it had begun
		}
		return err
	}
	w := &worker{o: o, log: log, lines: newLines(stdout)}
	if err := w.join(ctx, control, data); err != nil {
		return err
	}
	defer w.group.Close()
	err = w.run(ctx, data, stderr)
	return errors.Join(err, w.source.Close())
}

// join makes what the worker consists of. Nothing of it has started.
func (w *worker) join(ctx context.Context, control, data *nats.Conn) (err error) {
	o := w.o
	options := w.options()
	if err := options.Validate(); err != nil {
		return err
	}
	w.source, err = source.New(data, o.stream)
	if err != nil {
		return err
	}
	w.group, err = natskv.New(natskv.Config{
		Conn: control, Group: o.group, Namespace: o.namespace, Replicas: o.stream.Replicas,
		Shards: o.stream.Shards(), TTL: o.ttl, Logger: w.log,
	})
	if err != nil {
		return err
	}
	if o.updateGroup {
		if err := w.update(ctx); err != nil {
			w.group.Close()
			return err
		}
	}
	w.coord, err = coordinator.New(coordinator.Config{
		Group:        w.group,
		Processor:    batch.Handle(w.source, w.handle, options),
		Member:       o.member,
		Interval:     o.beat,
		DrainTimeout: o.drain,
		Require:      heartbeat.Guarantees{FencedCommit: true, AckedRevoke: true, Epochs: true},
		CreateGroup:  true,
		Hooks:        w.hooks(),
		Logger:       w.log,
	})
	if err != nil {
		w.group.Close()
	}
	return err
}

// update gives the group the shards of the stream, and the TTL if there is one. One that is
// not there yet is made with them.
func (w *worker) update(ctx context.Context) error {
	if err := w.group.Create(ctx); err != nil {
		return err
	}
	if err := w.group.SetShards(ctx, w.o.stream.Shards()); err != nil || w.o.ttl == 0 {
		return err
	}
	return w.group.SetTTL(ctx, w.o.ttl)
}

// reads is how many reads may be under way at a time.
const reads = 64

const (
	// minPause is the least time between two reads of a partition that was read to its
	// end. A read that finds nothing is one small request to the nearest server.
	minPause = 10 * time.Millisecond
	// maxPause is the longest time for which an idle partition is not looked at. It is
	// what a thousand of them cost: two thousand requests a second, by all workers.
	maxPause = 500 * time.Millisecond
)

// options is how batches are read and committed.
func (w *worker) options() batch.Options[source.Message] {
	return batch.Options[source.Message]{
		Initial:        w.o.from,
		Expired:        w.o.expired,
		Budget:         batch.NewBudget(batch.DefaultBudget, reads),
		BatchItems:     w.o.batch,
		MinPause:       minPause,
		MaxPause:       maxPause,
		CommitInterval: w.o.commit,
		OnError: func(context.Context, batch.Failure) batch.Action {
			w.tally.retries.Add(1)
			return batch.ActionRetry // try it again
		},
	}
}

// draining counts the shards that were given to others.
func (w *worker) draining(e coordinator.ShardEvent) {
	if errors.Is(e.Err, processor.ErrRevoked) {
		w.tally.handovers.Add(1)
	}
}

// run works until ctx ends, or nothing can be read any more.
func (w *worker) run(ctx context.Context, data *nats.Conn, stderr io.Writer) error {
	ctx, cancel := whileOpen(ctx, data)
	defer cancel()
	begin := time.Now()
	stop := w.report(begin, stderr)
	err := w.coord.Run(ctx)
	stop()
	w.summary(time.Since(begin), stderr)
	var closed *closedError
	if err == nil && errors.As(context.Cause(ctx), &closed) {
		return closed
	}
	return err
}

// closedError says that the connection for data is closed for good. natskv.Options keep
// trying whatever happens, but not all that can befall a connection is theirs to say.
type closedError struct{ reason error }

func (e *closedError) Error() string {
	return fmt.Sprintf("the connection for data is closed for good: %v", e.reason)
}

func (e *closedError) Unwrap() error { return e.reason }

// whileOpen returns a context that ends with a *closedError when the connection is closed
// for good. Heartbeats have another one: without this the worker would keep its shards,
// and read nothing.
func whileOpen(ctx context.Context, nc *nats.Conn) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	closed := func(nc *nats.Conn) {
		reason := nc.LastError()
		if reason == nil {
			reason = nats.ErrConnectionClosed
		}
		cancel(&closedError{reason})
	}
	nc.SetClosedHandler(closed)
	if nc.IsClosed() { // before there was a handler
		closed(nc)
	}
	return ctx, func() { cancel(nil) }
}

// logger returns the library's logger; nil means silence.
func (o *options) logger(w io.Writer) *zap.Logger {
	if o.level == silent {
		return nil
	}
	encoder := zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), o.level))
}
