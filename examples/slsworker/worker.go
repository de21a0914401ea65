package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// worker is the program's member of the group.
type worker struct {
	o      *options
	client *sls.Client
	coord  *coordinator.Coordinator
	lines  *lines
	tally  tally
}

// reads is how many reads may be under way at a time. Each has a connection with its
// buffers; one takes some milliseconds, so these are enough for thousands of shards.
const reads = 32

// maxPause is the longest time for which an idle shard is not looked at. It is what a
// thousand idle shards cost: as many reads in that time.
const maxPause = time.Second

// newWorker makes a worker that has not started.
func newWorker(o *options, stdout, stderr io.Writer) (*worker, error) {
	log := o.logger(stderr)
	client, err := o.client(log)
	if err != nil {
		return nil, err
	}
	w := &worker{o: o, client: client, lines: newLines(stdout)}
	source, err := slslog.New(client, slslog.Options{Query: o.query, Compression: o.compression})
	if err != nil {
		return nil, err
	}
	options := w.options()
	if err := options.Validate(); err != nil {
		return nil, err
	}
	w.coord, err = coordinator.New(coordinator.Config{
		Group:        client,
		Processor:    batch.Handle(source, w.handle, options),
		Member:       o.member,
		Interval:     o.interval,
		FastInterval: min(max(o.interval/20, 100*time.Millisecond), o.interval),
		DrainTimeout: o.drain,
		Finite:       !o.until.IsZero(),
		Require:      heartbeat.Guarantees{FencedCommit: true},
		CreateGroup:  true, // if somebody deletes it
		Hooks:        coordinator.Hooks{Draining: w.draining},
		Logger:       log,
	})
	return w, err
}

// options is how batches are read and committed.
func (w *worker) options() batch.Options[slslog.Group] {
	return batch.Options[slslog.Group]{
		Initial:        w.o.from,
		Until:          w.o.until,
		Expired:        w.o.expired,
		Budget:         batch.NewBudget(w.o.budget, reads),
		MaxPause:       maxPause,
		Concurrency:    w.o.concurrency,
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

// run works until ctx ends, or everything is done.
func (w *worker) run(ctx context.Context, stderr io.Writer) error {
	defer func() { _ = w.client.Close() }() // it can fail for a provider of credentials that hangs
	unlock, err := w.o.lock()
	switch {
	case errors.Is(err, errLocked):
		return err
	case err != nil:
		fmt.Fprintf(stderr, "slsworker: the name %q cannot be locked, so a second worker of this name would not be noticed: %v\n", w.o.member, err)
	default:
		defer unlock()
	}
	boundMemory(w.o.budget)
	begin := time.Now()
	stop := w.report(begin, stderr)
	err = w.coord.Run(ctx)
	stop()
	w.summary(time.Since(begin), stderr)
	return err
}

// logger returns the library's logger; nil means silence.
func (o *options) logger(w io.Writer) *zap.Logger {
	if o.level == silent {
		return nil
	}
	encoder := zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), o.level))
}
