package runner_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// rig is one run with everything around it observed. Make it inside a bubble.
type rig struct {
	reports reports
	t       *testing.T
	cfg     runner.Config
	lease   shardset.Lease
	term    *runner.MemberLease
	store   *fakeStore
	run     *runner.Run
	out     chan shardset.Outcome

	mu    sync.Mutex
	notes []string
	over  bool // done was called
}

// newRig returns a rig for a shard that work processes, with a lease of an hour,
// pauses of 1 s to 8 s and a commit timeout of 5 s. Change cfg before start.
func newRig(t *testing.T, work processor.Func) *rig {
	r := &rig{
		t:     t,
		lease: shardset.Lease{ID: shardset.ID{Log: "orders", Number: 7}, Epoch: 3},
		term:  runner.NewMemberLease(time.Now().Add(time.Hour)),
		out:   make(chan shardset.Outcome, 2),
	}
	r.store = &fakeStore{rig: r}
	r.cfg = runner.Config{
		Member: "m1", Epochs: true,
		Factory:       processor.FromFunc(work),
		Checkpoints:   r.store,
		Restart:       processor.Backoff{Min: time.Second, Max: 8 * time.Second},
		CommitTimeout: 5 * time.Second,
		Report:        r.reports.report,
	}
	r.reports = reports{
		Started: func(_ shardset.Lease, resume processor.Position, found bool) {
			r.event("started %q %v", resume, found)
		},
		Failed: func(_ shardset.Lease, err error, pause time.Duration) {
			r.event("failed, restart %v: %v", pause > 0, err)
		},
		Committed: func(c processor.Commit, err error) { r.event("committed %q: %v", c.Position, err) },
	}
	return r
}

// start launches the run and lets it come to its first wait; finish waits for its end.
func (r *rig) start() *rig {
	r.run = runner.New(r.cfg).New(r.t.Context(), r.lease, 11, r.term)
	go r.run.Do(func(o shardset.Outcome) {
		r.event("done %v", o)
		r.mu.Lock()
		r.over = true
		r.mu.Unlock()
		r.out <- o
	})
	synctest.Wait()
	return r
}

// finish checks that done was called once and last, and returns the outcome.
func (r *rig) finish() shardset.Outcome {
	r.t.Helper()
	o := <-r.out
	synctest.Wait()
	if n := len(r.out); n != 0 {
		r.t.Errorf("done was called %d times, want once", n+1)
	}
	if got := r.run.Status().Phase; got != runner.PhaseReturned {
		r.t.Errorf("the phase after done is %v, want %v", got, runner.PhaseReturned)
	}
	return o
}

// want finishes the run and compares its outcome.
func (r *rig) want(want shardset.Outcome) {
	r.t.Helper()
	if got := r.finish(); got != want {
		r.t.Errorf("the run ended with outcome %v, want %v; events: %q", got, want, r.events())
	}
}

// note records what user code does.
func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// event records what the run does, which it must not after done.
func (r *rig) event(format string, args ...any) {
	r.mu.Lock()
	over := r.over
	r.mu.Unlock()
	if over {
		r.t.Errorf("after done: "+format, args...)
	}
	r.note(format, args...)
}

func (r *rig) events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notes)
}

// wantEvents compares everything that was recorded.
func (r *rig) wantEvents(want ...string) {
	r.t.Helper()
	if got := r.events(); !slices.Equal(got, want) {
		r.t.Errorf("events:\n got %q\nwant %q", got, want)
	}
}

// fakeStore is a store for one shard, with faults that a test can set.
type fakeStore struct {
	rig  *rig
	load func(context.Context, processor.Owner) error // nil: no fault
	save func(context.Context, processor.Owner, processor.Position) error

	mu    sync.Mutex
	saved []processor.Position
}

func (f *fakeStore) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	f.rig.event("load")
	if f.load != nil {
		if err := f.load(ctx, o); err != nil {
			return "", false, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.saved) == 0 {
		return "", false, nil
	}
	return f.saved[len(f.saved)-1], true, nil
}

func (f *fakeStore) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if f.save != nil {
		if err := f.save(ctx, o, p); err != nil {
			return err
		}
	}
	f.rig.event("save %s", p)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saved = append(f.saved, p)
	return nil
}

func (f *fakeStore) positions() []processor.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.saved)
}

// hang is a store that answers nothing, but honours its context.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// slow is a store that takes its time, and honours its context.
func slow(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// untilRevoked is a processor that only waits for Revoked.
func untilRevoked(_ context.Context, s *processor.Shard) error {
	<-s.Revoked()
	return nil
}
