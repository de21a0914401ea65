package batch_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

// rig is one shard being processed, in a bubble, with everything around it observed.
type rig struct {
	t       *testing.T
	tape    *tape
	factory processor.Factory
	store   *store
	// checkpoints, if set, are used in place of store.
	checkpoints processor.Checkpoints
	until       time.Time // when the lease expires
	run         *run
	out         chan shardset.Outcome
	restart     processor.Backoff
	budget      *batch.Budget // made by handle, if the options had none

	mu      sync.Mutex // guards the fields below
	handled []int      // items for which the handler returned nil, in order
	failed  []error    // attempts of the Process
	halted  error
}

// store is checkpoints in memory, with a wish for failure.
type store struct {
	*processor.MemoryCheckpoints
	mu    sync.Mutex // guards the fields below
	saves []processor.Position
	fail  func(p processor.Position) error
	saved func(o processor.Owner, p processor.Position) error // called when it is; its answer may be lost
	hang  chan struct{}                                       // saves wait for it to be closed
	watch func(p processor.Position)                          // sees each save, also those that fail
}

func (s *store) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	s.mu.Lock()
	fail, hang, watch := s.fail, s.hang, s.watch
	s.mu.Unlock()
	if watch != nil {
		watch(p)
	}
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail != nil {
		if err := fail(p); err != nil {
			return err
		}
	}
	if err := s.MemoryCheckpoints.Save(ctx, o, p); err != nil {
		return err
	}
	s.mu.Lock()
	s.saves = append(s.saves, p)
	saved := s.saved
	s.mu.Unlock()
	if saved != nil {
		return saved(o, p)
	}
	return nil
}

// set changes something.
func (s *store) set(f func(s *store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// committed returns all that was stored, in order.
func (s *store) committed() []processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.saves)
}

// last returns the position in the store; empty if there is none.
func (s *store) last() processor.Position {
	saves := s.committed()
	if len(saves) == 0 {
		return ""
	}
	return saves[len(saves)-1]
}

var testShard = shardset.ID{Log: "orders", Number: 7}

func newRig(t *testing.T, tape *tape) *rig {
	return &rig{
		t: t, tape: tape, store: &store{MemoryCheckpoints: processor.NewMemoryCheckpoints()},
		until: time.Now().Add(24 * time.Hour), out: make(chan shardset.Outcome, 1),
		restart: processor.Backoff{Min: time.Second, Max: time.Second},
	}
}

// note is a handler that remembers what it was given, in front of another.
func (r *rig) note(next func(ctx context.Context, b *batch.Batch[int]) error) func(context.Context, *batch.Batch[int]) error {
	return func(ctx context.Context, b *batch.Batch[int]) error {
		items := slices.Clone(b.Items)
		if next != nil {
			if err := next(ctx, b); err != nil {
				return err
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.handled = append(r.handled, items...)
		return nil
	}
}

// handle makes the rig's factory with Handle.
func (r *rig) handle(fn func(ctx context.Context, b *batch.Batch[int]) error, o batch.Options[int]) *rig {
	r.factory = batch.Handle(r.tape, r.note(fn), r.ownBudget(o))
	return r
}

// ownBudget gives options without a budget one that finish looks at.
func (r *rig) ownBudget(o batch.Options[int]) batch.Options[int] {
	if o.Budget == nil {
		r.budget = batch.NewBudget(batch.DefaultBudget, batch.DefaultReads)
		o.Budget = r.budget
	}
	return o
}

// heir is the shard's next owner: the same source, on which nothing fails any more,
// and the same store.
func (r *rig) heir() *rig {
	r.tape.set(func(t *tape) { t.fail, t.openFail, t.onOpen, t.onRead = nil, nil, nil, nil })
	r.store.set(func(s *store) { s.fail, s.hang, s.watch = nil, nil, nil })
	next := newRig(r.t, r.tape)
	next.store = r.store
	return next
}

// start launches the run under an epoch and lets it come to its first wait.
func (r *rig) start(epoch uint64) *rig {
	checkpoints := r.checkpoints
	if checkpoints == nil {
		checkpoints = r.store
	}
	r.run = newRun(processortest.Config{
		Lease: shardset.Lease{ID: testShard, Epoch: epoch, NotAfter: r.until}, Checkpoints: checkpoints,
	})
	r.run.restart = r.restart
	r.run.onFailure = func(err error) { r.locked(func() { r.failed = append(r.failed, err) }) }
	r.run.onHalt = func(err error) { r.locked(func() { r.halted = err }) }
	out := r.out // of this run, should the next one get another
	go r.run.do(r.factory, func(o shardset.Outcome) { out <- o })
	synctest.Wait()
	return r
}

func (r *rig) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// poison and gaps return what the run has reported.
func (r *rig) poison() []processor.Poison { return r.run.Status().Poison }
func (r *rig) gaps() []processor.Gap      { return r.run.Status().Gaps }

// got returns the handled items so far.
func (r *rig) got() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.handled)
}

// finish waits for the end of the run, and checks that nothing is left of it.
func (r *rig) finish() shardset.Outcome {
	r.t.Helper()
	var o shardset.Outcome
	select {
	case o = <-r.out:
	case <-time.After(12 * time.Hour):
		r.t.Error("the run does not end")
		r.run.Cancel(processor.ErrLeaseLost)
		o = <-r.out
	}
	synctest.Wait()
	if n := r.tape.count(func(t *tape) int { return t.open }); n != 0 {
		r.t.Errorf("%d readers are open after the end", n)
	}
	if n := r.tape.count(func(t *tape) int { return t.alive }); n != 0 {
		r.t.Errorf("%d chunks are not released after the end", n)
	}
	if n := r.tape.count(func(t *tape) int { return t.doubled }); n != 0 {
		r.t.Errorf("%d chunks were released twice", n)
	}
	if r.budget != nil {
		checkFull(r.t, r.budget, batch.DefaultReads)
	}
	return o
}

// checkFull checks that nothing of a budget is in use.
func checkFull(t *testing.T, b *batch.Budget, reads int) {
	t.Helper()
	if b.Free() != b.Size() {
		t.Errorf("the budget has %d bytes, want all %d", b.Free(), b.Size())
	}
	if b.FreeReads() != reads {
		t.Errorf("the budget has %d reads, want all %d", b.FreeReads(), reads)
	}
}

// bubble is a subtest in fake time.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// upTo is the numbers from 0 to n-1.
func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
