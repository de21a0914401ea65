package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func TestCommitRefusesTheEmptyPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			if err := s.Commit(ctx, ""); !errors.Is(err, processor.ErrEmptyPosition) {
				t.Errorf("Commit of the empty position: %v, want %v", err, processor.ErrEmptyPosition)
			}
			return nil
		})
		r.start().want(shardset.OutcomeComplete)
		r.wantEvents("load", `started "" false`, "done complete")
	})
}

// The store and the hooks are told who commits what, and how long it took.
func TestCommitTellsHooksAndStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var before, after processor.Commit
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			return s.Commit(context.WithValue(ctx, key{}, "mine"), "p")
		})
		r.cfg.Hooks.Before = func(ctx context.Context, c processor.Commit) error {
			if got := ctx.Value(key{}); got != "mine" {
				t.Errorf("Before got a context with the value %v, want that of the commit", got)
			}
			before = c
			return nil
		}
		r.cfg.Hooks.After = func(c processor.Commit, err error) {
			if err != nil {
				t.Errorf("After: %v, want nil", err)
			}
			after = c
		}
		r.store.save = func(ctx context.Context, o processor.Owner, p processor.Position) error {
			if got := ctx.Value(key{}); got != "mine" {
				t.Errorf("Save got a context with the value %v, want that of the commit", got)
			}
			if o.Member != "m1" || o.Instance != 11 || o.Lease.ID != r.lease.ID || o.Lease.Epoch != 3 || !o.Epochs {
				t.Errorf("Save was called for %+v", o)
			}
			time.Sleep(70 * time.Millisecond)
			return nil
		}
		lease := r.lease
		lease.NotAfter = r.term.NotAfter()
		r.start().want(shardset.OutcomeComplete)
		want := processor.Commit{Member: "m1", Lease: lease, Position: "p"}
		if before != want {
			t.Errorf("Before got %+v, want %+v", before, want)
		}
		if want.Took = 70 * time.Millisecond; after != want {
			t.Errorf("After got %+v, want %+v", after, want)
		}
	})
}

func TestBeforeMayVeto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told error
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			err := s.Commit(ctx, "p")
			if !errors.Is(err, errSink) {
				t.Errorf("Commit with a veto: %v, want %v", err, errSink)
			}
			if told != err {
				t.Errorf("After got %v, want what Commit returns: %v", told, err)
			}
			return s.Check()
		})
		r.cfg.Hooks.Before = func(context.Context, processor.Commit) error { return errSink }
		r.cfg.Hooks.After = func(c processor.Commit, err error) {
			if told = err; c.Took != 0 {
				t.Errorf("After a veto Took is %v, want 0", c.Took)
			}
		}
		r.start().want(shardset.OutcomeComplete)
		if got := r.store.positions(); len(got) != 0 {
			t.Errorf("saved %q against the veto", got)
		}
	})
}

// The run checks the lease again after Before, which is user code and may take long.
func TestLeaseEndsInTheBeforeHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			err := s.Commit(ctx, "p")
			if !errors.Is(err, processor.ErrLeaseLost) {
				t.Errorf("Commit whose Before hook outlasts the lease: %v, want %v", err, processor.ErrLeaseLost)
			}
			return nil
		})
		r.term = runner.NewMemberLease(time.Now().Add(time.Second))
		r.cfg.Hooks.Before = func(context.Context, processor.Commit) error { time.Sleep(time.Second); return nil }
		r.store.save = func(context.Context, processor.Owner, processor.Position) error {
			t.Error("Save was called after the lease")
			return nil
		}
		r.start().want(shardset.OutcomeLost)
	})
}

// Eight goroutines commit: only one at a time is in the store or in a hook, every
// commit ends, and the status and the next attempt see the last position saved.
func TestCommitsAreMadeOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, each = 8, 50
		var inside, told atomic.Int32
		enter := func(where string) {
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d commits at once in %s", n, where)
			}
			time.Sleep(time.Millisecond)
			inside.Add(-1)
		}
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := range each {
						if err := s.Commit(ctx, processor.Position(fmt.Sprintf("%d-%d", w, i))); err != nil {
							t.Errorf("commit %d-%d: %v", w, i, err)
						}
					}
				})
			}
			wg.Wait()
			return nil
		})
		r.cfg.Hooks.Before = func(context.Context, processor.Commit) error { enter("Before"); return nil }
		r.cfg.Hooks.After = func(processor.Commit, error) { enter("After"); told.Add(1) }
		r.store.save = func(context.Context, processor.Owner, processor.Position) error { enter("Save"); return nil }
		r.start().want(shardset.OutcomeComplete)
		saved := r.store.positions()
		if len(saved) != writers*each || told.Load() != writers*each {
			t.Fatalf("%d saves and %d calls of After, want %d of each", len(saved), told.Load(), writers*each)
		}
		if got, want := r.run.Status().Position, saved[len(saved)-1]; got != want {
			t.Errorf("position in the status: %q, want the last one saved, %q", got, want)
		}
		for w := range writers {
			last := -1
			for i := range each {
				at := slices.Index(saved, processor.Position(fmt.Sprintf("%d-%d", w, i)))
				if at <= last {
					t.Errorf("writer %d's commit %d was saved as number %d, its commit before as %d", w, i, at, last)
				}
				last = at
			}
		}
	})
}

// The same without the bubble's clock, for the race detector.
func TestCommitsRace(t *testing.T) {
	store := processor.NewMemoryCheckpoints()
	work := processor.Func(func(ctx context.Context, s *processor.Shard) error {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range 200 {
					if err := s.Commit(ctx, processor.Position(fmt.Sprintf("%d-%d", w, i))); err != nil {
						t.Errorf("commit %d-%d: %v", w, i, err)
					}
					s.Check()
					s.Lease()
				}
			})
		}
		wg.Wait()
		return nil
	})
	rn := runner.New(runner.Config{Factory: processor.FromFunc(work), Checkpoints: store})
	term := runner.NewMemberLease(time.Now().Add(time.Hour))
	run := rn.New(t.Context(), shardset.Lease{Epoch: 1}, 1, term)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				run.Status()
				term.Extend(time.Now(), time.Now().Add(time.Hour))
			}
		}
	})
	run.Do(func(o shardset.Outcome) {
		if o != shardset.OutcomeComplete {
			t.Errorf("outcome %v, want %v", o, shardset.OutcomeComplete)
		}
	})
	close(stop)
	wg.Wait()
	if got, _ := store.Position(shardset.ID{}); got != run.Status().Position {
		t.Errorf("the store has %q, the status says %q", got, run.Status().Position)
	}
}

// The end of the context ends a commit that waits for another one.
func TestContextEndsWhileWaitingForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		giveUp := errors.New("given up")
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			first := make(chan error)
			go func() { first <- s.Commit(ctx, "first") }()
			time.Sleep(time.Nanosecond) // it is in the store
			short, cancel := context.WithTimeoutCause(ctx, time.Second, giveUp)
			defer cancel()
			from := time.Now()
			if err := s.Commit(short, "second"); !errors.Is(err, giveUp) {
				t.Errorf("Commit whose context ended in the queue: %v, want %v", err, giveUp)
			}
			if took := time.Since(from); took != time.Second {
				t.Errorf("it came back after %v, want 1s", took)
			}
			return <-first
		})
		r.store.save = func(context.Context, processor.Owner, processor.Position) error {
			time.Sleep(3 * time.Second)
			return nil
		}
		r.cfg.Hooks.Before = func(_ context.Context, c processor.Commit) error { r.note("before %s", c.Position); return nil }
		r.start().want(shardset.OutcomeComplete)
		r.wantEvents("load", `started "" false`, "before first", "save first", `committed "first": <nil>`, "done complete")
	})
}
