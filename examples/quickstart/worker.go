package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// worker is one member of the group. In production it is a process of its own; here
// several share one.
type worker struct {
	name  string
	work  *work
	link  *link
	coord *coordinator.Coordinator
	stop  context.CancelFunc
	ended chan struct{} // closed when the coordinator's Run has returned
	done  atomic.Bool   // Run returned because every line is processed
	lines atomic.Int64  // processed

	// The worker locks alive for reading while it reads lines or handles one. Locking it
	// for writing freezes the worker between two lines.
	alive sync.RWMutex
}

// newWorker makes a worker that has not started.
func newWorker(w *work, name string) (*worker, error) {
	k := &worker{name: name, work: w, ended: make(chan struct{})}
	k.link = &link{Service: w.service, over: make(chan struct{})}
	var err error
	k.coord, err = coordinator.New(coordinator.Config{
		Group:        k.link, // which is the store of checkpoints too
		Processor:    k.processor(),
		Member:       name,
		Interval:     w.interval,
		DrainTimeout: 5 * time.Second,
		Finite:       true, // the lines have an end
		Require:      heartbeat.Guarantees{FencedCommit: true, AckedRevoke: true},
		Hooks:        w.journal.hooks(),
		Logger:       w.log,
	})
	return k, err
}

// start runs the coordinator until every shard of the group is done, or stop is called.
func (k *worker) start() {
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	go func() { // ends with the coordinator; finish waits for it
		defer close(k.ended)
		switch err := k.coord.Run(ctx); {
		case err != nil:
			k.work.cancel(err)
		case ctx.Err() == nil: // it was not stopped
			k.done.Store(true)
			k.work.cancel(errDone)
		}
	}()
}

// processor returns what the worker does with its shards: it reads lines in batches
// from the checkpoint on, handles them, and commits how far it is.
func (k *worker) processor() processor.Factory {
	w := k.work
	source := &feed{spans: w.spans, due: w.due, alive: &k.alive}
	return batch.Handle(source, k.handle, batch.Options[line]{
		BatchItems:     200,                   // a revoked shard finishes no more than these
		MinPause:       10 * time.Millisecond, // the lines are due one by one
		CommitInterval: w.commitEvery,
		CommitItems:    w.commitLines,
		OnError: func(_ context.Context, f batch.Failure) batch.Action {
			w.journal.say("%s: %v", k.name, f.Err)
			return batch.ActionRetry // try it again
		},
	})
}

// handle handles a batch of lines. If a line fails, the batch comes again without the
// lines before that line.
func (k *worker) handle(_ context.Context, b *batch.Batch[line]) error {
	for i, l := range b.Items {
		if err := k.line(b, l); err != nil {
			b.AckTo(i)
			return fmt.Errorf("line %d of shard %s: %w", l.number, b.ID(), err)
		}
		runtime.Gosched() // at full speed, the coordinators get their turn in between
	}
	return nil // acknowledges all of them
}

// line puts one line into the sink.
func (k *worker) line(b *batch.Batch[line], l line) error {
	k.alive.RLock() // a killed worker is frozen here
	defer k.alive.RUnlock()
	if err := b.Check(); err != nil {
		return err // its lease ended while the worker was frozen
	}
	if k.work.lose != nil && k.work.lose(k.work.spans[b.ID()], l.number) {
		return nil
	}
	if err := k.work.sink.put(b.Lease(), l, classify(l.text)); err != nil {
		return err
	}
	k.lines.Add(1)
	return nil
}

// kill makes the worker behave like a machine without power: it stops between two
// lines, and none of its calls reaches the group. The group keeps its shards for it
// until its lease ends.
func (k *worker) kill() {
	k.alive.Lock()
	k.link.sever()
}

func (k *worker) killed() bool { return k.link.severed() }

// finish ends the worker and waits for its goroutines. A killed worker wakes up first,
// late, and finds that its lease has ended.
func (k *worker) finish() {
	k.stop()
	if k.killed() {
		close(k.link.over)
		k.alive.Unlock()
	}
	<-k.ended
}
