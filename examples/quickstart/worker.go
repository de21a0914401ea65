package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
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
	err   error         // what it returned
	lines atomic.Int64  // processed

	// alive is held for reading by every processor except while it waits for its next
	// line. Whoever holds it for writing has frozen the worker between two lines.
	alive sync.RWMutex
}

// newWorker makes a worker that has not started.
func newWorker(w *work, name string) (*worker, error) {
	k := &worker{name: name, work: w, ended: make(chan struct{})}
	k.link = &link{Service: w.service, over: make(chan struct{})}
	var err error
	k.coord, err = coordinator.New(coordinator.Config{
		Group:        k.link, // which is the store of checkpoints too
		Processor:    processor.Each(k.process),
		Member:       name,
		Interval:     w.interval,
		DrainTimeout: 5 * time.Second,
		Require:      heartbeat.Guarantees{FencedCommit: true, AckedRevoke: true},
		Hooks:        w.journal.hooks(),
		Logger:       w.log,
	})
	return k, err
}

// start runs the coordinator until stop is called.
func (k *worker) start() {
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	go func() { // ends with the coordinator; finish waits for it
		defer close(k.ended)
		k.err = k.coord.Run(ctx)
		if k.err != nil {
			k.work.fail(k.err)
		}
	}()
}

// process is what a worker does with one shard: it reads its lines from the
// checkpoint on, counts them into the sink, and commits how far it is.
func (k *worker) process(ctx context.Context, s *processor.Shard) error {
	k.alive.RLock()
	defer k.alive.RUnlock()
	span := k.work.spans[s.ID()]
	from, err := span.resume(s.Resume())
	if err != nil {
		return k.work.fail(err)
	}
	in := span.read(from)
	done := from // is committed
	last := time.Now()
	commit := func() error {
		if in.at == done && in.at != (place{offset: span.end}) { // an empty shard is committed once
			return nil
		}
		done, last = in.at, time.Now()
		return s.Commit(ctx, in.at.position())
	}
	for {
		due := k.work.due(span, in.at)
		if time.Until(due) > k.work.commitEvery {
			if err := commit(); err != nil { // nothing more to commit for a while
				return err
			}
		}
		if !k.pace(s, due) {
			return commit() // the shard has to go: the next owner continues here
		}
		if err := s.Check(); err != nil {
			return err // the lease ended while this worker was frozen
		}
		switch err := k.line(s, in); {
		case errors.Is(err, io.EOF):
			if err := commit(); err != nil {
				return err
			}
			return processor.ErrShardEnded
		case err != nil:
			return err
		}
		if in.at.line-done.line >= k.work.commitLines || time.Since(last) >= k.work.commitEvery {
			if err := commit(); err != nil {
				return err
			}
		}
	}
}

// pace waits until due, and reports false if the shard has to go. It is the only
// place in which the worker can be frozen.
func (k *worker) pace(s *processor.Shard, due time.Time) bool {
	k.alive.RUnlock()
	if wait := time.Until(due); wait > 0 {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-s.Revoked():
			t.Stop()
		}
	} else {
		runtime.Gosched() // at full speed, the coordinators get their turn in between
	}
	k.alive.RLock()
	select {
	case <-s.Revoked():
		return false
	default:
		return true
	}
}

// line processes one line. The error is io.EOF at the end of the shard.
func (k *worker) line(s *processor.Shard, in *reader) error {
	l, err := in.next()
	if errors.Is(err, io.EOF) {
		return err
	}
	if err != nil {
		return k.work.fail(err) // reading again would not help
	}
	if k.work.lose != nil && k.work.lose(in.span, l.number) {
		return nil
	}
	if err := k.work.sink.put(s.Lease(), l, classify(l.text)); err != nil {
		return fmt.Errorf("line %d of shard %s: %w", l.number, s.ID(), err)
	}
	k.lines.Add(1)
	return nil
}

// kill makes the worker what a machine is whose power was cut: it stands still between
// two lines, and nothing of it reaches the group any more. Its shards stay its own in
// the eyes of the group until its lease ends.
func (k *worker) kill() {
	k.alive.Lock()
	k.link.cut.Store(true)
}

func (k *worker) killed() bool { return k.link.cut.Load() }

// finish ends the worker and waits until nothing of it is left. A killed one wakes up
// for it, late, and finds its lease over.
func (k *worker) finish() {
	k.stop()
	if k.killed() {
		close(k.link.over)
		k.alive.Unlock()
	}
	<-k.ended
}
