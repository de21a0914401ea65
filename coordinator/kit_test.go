package coordinator_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Times of the groups in these tests, the ones of design and README.
const (
	interval = 2 * time.Second
	ttl      = 6 * time.Second
)

// wire is a memory service behind a line that can fail. A nil fault lets a call
// through. It keeps all abilities, and counts the heartbeats.
type wire struct {
	*memory.Service

	mu    sync.Mutex
	fault func(ctx context.Context, r shardset.Heartbeat) error
	cut   bool // every call fails, commits and the leave call included
	beats []time.Time
}

func newWire(t *testing.T, shards int) *wire {
	t.Helper()
	s, err := memory.New(memory.Config{Group: "test", TTL: ttl, Shards: shardset.Range("log", shards)})
	if err != nil {
		t.Fatal(err)
	}
	return &wire{Service: s}
}

// another returns a second line to the same service.
func (w *wire) another() *wire { return &wire{Service: w.Service} }

func (w *wire) setFault(f func(ctx context.Context, r shardset.Heartbeat) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

func (w *wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

func (w *wire) beatTimes() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.beats)
}

func (w *wire) broken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return errCut
	}
	return nil
}

type cutError struct{}

func (cutError) Error() string { return "the line is cut" }

var errCut = cutError{}

func (w *wire) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	w.mu.Lock()
	w.beats = append(w.beats, time.Now())
	fault := w.fault
	w.mu.Unlock()
	if err := w.broken(); err != nil {
		return shardset.Answer{}, err
	}
	if fault != nil {
		if err := fault(ctx, r); err != nil {
			return shardset.Answer{}, err
		}
	}
	return w.Service.Beat(ctx, r)
}

func (w *wire) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if err := w.broken(); err != nil {
		return err
	}
	return w.Service.Leave(ctx, r)
}

func (w *wire) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if err := w.broken(); err != nil {
		return err
	}
	return w.Service.Save(ctx, o, p)
}

// worker is a coordinator that runs, with the events that its hooks received.
type worker struct {
	*coordinator.Coordinator
	t    *testing.T
	stop context.CancelFunc
	err  error
	done chan struct{}

	mu     sync.Mutex
	events []event
}

type event struct {
	kind string
	coordinator.ShardEvent
}

// launch starts a worker. What cfg leaves out gets the tests' defaults; a nil
// Processor waits until it has to go.
func launch(t *testing.T, name string, group heartbeat.Client, cfg coordinator.Config) *worker {
	t.Helper()
	w := &worker{t: t, done: make(chan struct{})}
	cfg.Group, cfg.Member = group, name
	if cfg.Interval == 0 {
		cfg.Interval = interval
	}
	if cfg.Processor == nil {
		cfg.Processor = processor.FromFunc(idle)
	}
	w.record(&cfg.Hooks)
	c, err := coordinator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Coordinator = c
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	go func() {
		defer close(w.done)
		w.err = c.Run(ctx)
	}()
	return w
}

func idle(_ context.Context, s *processor.Shard) error {
	s.ReportProgress(processor.Progress{CaughtUp: true})
	<-s.Revoked()
	return nil
}

func (w *worker) record(h *coordinator.Hooks) {
	add := func(kind string) func(coordinator.ShardEvent) {
		return func(e coordinator.ShardEvent) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, event{kind, e})
		}
	}
	for _, f := range []struct {
		hook *func(coordinator.ShardEvent)
		kind string
	}{
		{&h.Assigned, "assigned"}, {&h.Started, "started"}, {&h.Failed, "failed"}, {&h.Halted, "halted"}, {&h.Draining, "draining"},
		{&h.Cancelled, "cancelled"}, {&h.Stopped, "stopped"}, {&h.Stuck, "stuck"},
	} {
		if *f.hook == nil {
			*f.hook = add(f.kind)
		}
	}
}

// heard returns the events of one kind that the hooks received.
func (w *worker) heard(kind string) []event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []event
	for _, e := range w.events {
		if e.kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// end stops the worker, waits for Run, and returns how long it took, and its error.
func (w *worker) end() (time.Duration, error) {
	w.t.Helper()
	start := time.Now()
	w.stop()
	<-w.done
	return time.Since(start), w.err
}

// running returns the shards that the worker processes, by its own status.
func (w *worker) running() []shardset.ID {
	var ids []shardset.ID
	for _, s := range w.Status().Shards {
		if s.State == coordinator.ShardRunning {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func id(n int) shardset.ID { return shardset.ID{Log: "log", Number: n} }
