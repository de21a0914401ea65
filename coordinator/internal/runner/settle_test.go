package runner_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A commit of another goroutine that is in flight when Process ends, in any way, ends
// before done is called.
func TestDoneWaitsForACommitInFlight(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func() error
		want shardset.Outcome
	}{
		{"nil", func() error { return nil }, shardset.OutcomeComplete},
		{"ended", func() error { return processor.ErrShardClosed }, shardset.OutcomeClosed},
		{"goexit", func() error { runtime.Goexit(); return nil }, shardset.OutcomeFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var err error
				r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
					go func() { err = s.Commit(ctx, "p") }() // ctx outlives what is in flight
					time.Sleep(time.Nanosecond)              // it is in the store
					return c.end()
				})
				r.store.save = func(ctx context.Context, _ processor.Owner, _ processor.Position) error {
					return slow(ctx, 2*time.Second)
				}
				from := time.Now()
				r.start().want(c.want)
				if took, want := time.Since(from), 2*time.Second; took != want {
					t.Errorf("done after %v, want %v", took, want)
				}
				if got := r.store.positions(); err != nil || len(got) != 1 {
					t.Errorf("the commit in flight: %v, saved %q; want it saved", err, got)
				}
			})
		})
	}
}

// A commit in flight ends before a restart too: the next attempt reads what it saved.
func TestRestartWaitsForACommitInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			if calls++; calls == 2 {
				if p, _ := s.Resume(); p != "p" {
					t.Errorf("the second attempt resumes at %q, want %q", p, "p")
				}
				return nil
			}
			go s.Commit(context.WithoutCancel(ctx), "p")
			time.Sleep(time.Nanosecond)
			panic("out")
		})
		r.store.save = func(context.Context, processor.Owner, processor.Position) error {
			time.Sleep(4 * time.Second) // longer than the pause
			return nil
		}
		r.start().want(shardset.OutcomeComplete)
	})
}

// A store that hangs holds the shard no longer than the commit timeout.
func TestSettlingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			go s.Commit(context.WithoutCancel(ctx), "p")
			time.Sleep(time.Nanosecond)
			return nil
		})
		r.store.save = func(ctx context.Context, _ processor.Owner, _ processor.Position) error { return hang(ctx) }
		from := time.Now()
		r.start().want(shardset.OutcomeComplete)
		if took := time.Since(from); took != r.cfg.CommitTimeout {
			t.Errorf("done after %v, want %v", took, r.cfg.CommitTimeout)
		}
	})
}

// A commit after the return is refused, and reaches neither the store nor a hook.
func TestCommitAfterReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan error, 1)
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			fresh := context.WithoutCancel(ctx)
			go func() {
				time.Sleep(time.Second)
				late <- s.Commit(fresh, "late")
			}()
			return s.Commit(fresh, "last")
		})
		var heard []processor.Position
		r.cfg.Hooks.Before = func(_ context.Context, c processor.Commit) error {
			heard = append(heard, c.Position)
			return nil
		}
		r.start().want(shardset.OutcomeComplete)
		if err := <-late; !errors.Is(err, processor.ErrReturned) {
			t.Errorf("Commit after Process returned: %v, want %v", err, processor.ErrReturned)
		}
		want := []processor.Position{"last"}
		if got := r.store.positions(); !slices.Equal(got, want) || !slices.Equal(heard, want) {
			t.Errorf("saved %q, the hook heard of %q, want %q", got, heard, want)
		}
	})
}

// If the last commit, in flight at the return, finds a newer owner, that still counts.
func TestFencedWhileSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			go s.Commit(context.WithoutCancel(ctx), "p")
			time.Sleep(time.Nanosecond)
			return nil
		})
		r.store.save = func(context.Context, processor.Owner, processor.Position) error {
			time.Sleep(time.Second)
			return processor.ErrNotOwner
		}
		r.start().want(shardset.OutcomeFenced)
	})
}
