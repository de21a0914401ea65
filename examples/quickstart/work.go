package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/shardset"
)

// work is one run of the program: the logs, the group, and its workers.
type work struct {
	options
	sources []*source
	order   []*span
	spans   map[shardset.ID]*span
	service *memory.Service // the group and its checkpoints
	sink    *sink
	journal *journal
	log     *zap.Logger
	begin   time.Time // set before the shards are announced
	took    time.Duration

	ctx    context.Context // ends when the work is over, done or not
	cancel context.CancelCauseFunc

	mu      sync.Mutex // guards the fields below
	workers []*worker
	death   *death
}

// run does the work and reports it.
func (o options) run(ctx context.Context, stdout, stderr io.Writer) int {
	fault := func(status int, err error) int {
		fmt.Fprintf(stderr, "quickstart: %v\n", err)
		return status
	}
	sources, err := openSources(o.files)
	if err != nil {
		return fault(exitUsage, err)
	}
	defer closeSources(sources)
	w, err := newWork(ctx, o, sources, stderr)
	if err != nil {
		return fault(exitUsage, err)
	}
	fmt.Fprintln(stdout, w.intro())
	w.do(newDisplay(stdout))
	checks, err := w.verify()
	if err != nil {
		return fault(exitFailed, err)
	}
	w.report(stdout, checks)
	var stopped signalError
	switch reason := context.Cause(w.ctx); {
	case !sound(checks):
		return fault(exitFailed, errors.New("lines were lost"))
	case complete(checks) && (errors.Is(reason, errDone) || ctx.Err() != nil):
		return exitOK
	case errors.As(reason, &stopped):
		return stopped.status()
	default:
		return fault(exitFailed, reason)
	}
}

// intro says what is going to happen.
func (w *work) intro() string {
	what := w.sources[0].label
	if len(w.sources) > 1 {
		what = count(len(w.sources), "file")
	}
	return fmt.Sprintf("%s: %s, %d workers, heartbeat every %s, lease %s",
		what, count(len(w.order), "shard"), len(w.workers), short(w.interval), short(w.ttl))
}

// errDone ends the work when every line was processed.
var errDone = errors.New("every line was processed")

func newWork(ctx context.Context, o options, sources []*source, stderr io.Writer) (*work, error) {
	w := &work{options: o, sources: sources, sink: newSink(), spans: map[shardset.ID]*span{}}
	var err error
	if w.order, err = divide(sources, o.shards); err != nil {
		return nil, err
	}
	for _, s := range w.order {
		w.spans[s.id] = s
	}
	if w.log, err = o.logger(stderr); err != nil {
		return nil, err
	}
	if w.service, err = memory.New(memory.Config{Group: "quickstart", TTL: o.ttl}); err != nil {
		return nil, err
	}
	w.journal = newJournal()
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	for i := range o.workers {
		k, err := newWorker(w, fmt.Sprintf("w%d", i+1))
		if err != nil {
			return nil, err
		}
		w.workers = append(w.workers, k)
	}
	return w, nil
}

// do works until every line is processed, or ctx ends, or it cannot go on. It leaves
// no goroutine behind.
func (w *work) do(d display) {
	for _, k := range w.workers {
		k.start()
	}
	w.announce()
	var script sync.WaitGroup
	script.Go(w.script)
	v := newViewer(w)
	w.watch(d, v)
	w.took = time.Since(w.begin)
	script.Wait()
	d.show(v.look()) // the last lines and notes
	w.finish()
}

// announce sets the shards of the group once all workers are members. If the shards
// came first, the first worker would get all of them, and the group would revoke most
// of them at once.
func (w *work) announce() {
	w.wait(func() bool { return len(w.service.Snapshot().Members) == len(w.workers) })
	w.begin = time.Now()
	w.journal.begin = w.begin
	shards := make([]shardset.Shard, len(w.order))
	for i, s := range w.order {
		shards[i].ID = s.id
	}
	if err := w.service.SetShards(shards); err != nil {
		w.cancel(err)
	}
}

// wait returns true when the condition holds, and false when the work is over.
func (w *work) wait(condition func() bool) bool {
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	for !condition() {
		select {
		case <-t.C:
		case <-w.ctx.Done():
			return false
		}
	}
	return w.ctx.Err() == nil
}

// due returns when the line at a place is to be read, so that the work takes the set
// duration with any number of workers. A shard that stood still is behind, and catches
// up as fast as it can.
func (w *work) due(s *span, at place) time.Time {
	if s.begin == s.end {
		return w.begin
	}
	share := float64(at.offset-s.begin) / float64(s.end-s.begin)
	return w.begin.Add(time.Duration(share * float64(w.duration)))
}

// committed returns the place up to which the lines of a span are committed.
func (w *work) committed(s *span) (place, error) {
	position, _ := w.service.Position(s.id) // empty if there is none
	return s.resume(position)
}

// finish ends all workers: first the living ones, at the same time, and then the killed
// ones.
func (w *work) finish() {
	var living sync.WaitGroup
	for _, k := range w.workers {
		if !k.killed() {
			living.Go(k.finish)
		}
	}
	living.Wait()
	for _, k := range w.workers {
		if k.killed() {
			before := k.lines.Load()
			w.death.over = k.coord.Status().Counters.LeasesLost > 0
			k.finish()
			w.death.late = k.lines.Load() - before
		}
	}
}

// all returns all workers so far, also those that have ended.
func (w *work) all() []*worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.workers)
}
