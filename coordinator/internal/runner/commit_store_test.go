package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A call of a store that hangs ends at the commit timeout or when the lease expires,
// whichever comes first: a store that cannot fence would accept the save later.
func TestSaveIsBounded(t *testing.T) {
	for _, c := range []struct{ timeout, lease, want time.Duration }{
		{timeout: 5 * time.Second, lease: time.Hour, want: 5 * time.Second},
		{timeout: 5 * time.Second, lease: 3 * time.Second, want: 3 * time.Second},
		{timeout: 0, lease: time.Hour, want: 10 * time.Second},
	} {
		t.Run(fmt.Sprintf("timeout %v, lease %v", c.timeout, c.lease), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
					from := time.Now()
					if err := s.Commit(ctx, "p"); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Commit to a hanging store: %v, want %v", err, context.DeadlineExceeded)
					}
					if took := time.Since(from); took != c.want {
						t.Errorf("Commit to a hanging store took %v, want %v", took, c.want)
					}
					return nil
				})
				r.cfg.CommitTimeout = c.timeout
				r.term = runner.NewMemberLease(time.Now().Add(c.lease))
				r.store.save = func(ctx context.Context, _ processor.Owner, _ processor.Position) error {
					err := hang(ctx)
					cause = context.Cause(ctx)
					return err
				}
				want := shardset.OutcomeComplete
				if c.want == c.lease {
					want = shardset.OutcomeLost
				}
				r.start().want(want)
				// Never ErrLeaseLost: the lease may have been extended meanwhile.
				if cause != context.DeadlineExceeded {
					t.Errorf("the store's context ended with %v, want %v", cause, context.DeadlineExceeded)
				}
			})
		})
	}
}

// The user's own deadline counts when it is the shorter one.
func TestSaveHonoursTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			from := time.Now()
			err := s.Commit(short, "p")
			if took := time.Since(from); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Commit with a deadline of 1s: %v after %v", err, took)
			}
			return nil
		})
		r.store.save = func(ctx context.Context, _ processor.Owner, _ processor.Position) error { return hang(ctx) }
		r.start().want(shardset.OutcomeComplete)
	})
}

// When the store has refused the owner, the run ends in every phase, even if the
// processor ignores the error.
func TestFencedByTheStore(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*runner.Run)
		cause  error // of the context afterwards
		result error
	}{
		{name: "held", before: func(*runner.Run) {}, cause: processor.ErrNotOwner},
		{name: "held, ended", before: func(*runner.Run) {}, cause: processor.ErrNotOwner, result: processor.ErrShardClosed},
		{name: "held, other error", before: func(*runner.Run) {}, cause: processor.ErrNotOwner, result: errSink},
		{name: "draining", before: func(r *runner.Run) { r.Revoke(processor.ErrShutdown) }, cause: processor.ErrNotOwner},
		{name: "overdue", before: func(r *runner.Run) { r.Cancel(processor.ErrShutdown) }, cause: processor.ErrShutdown},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				saves := 0
				var r *rig
				r = newRig(t, func(ctx context.Context, s *processor.Shard) error {
					c.before(r.run)
					fresh := context.WithoutCancel(ctx)
					for range 3 {
						if err := s.Commit(fresh, "p"); !errors.Is(err, processor.ErrNotOwner) {
							t.Errorf("Commit: %v, want %v", err, processor.ErrNotOwner)
						}
						if got := s.Check(); got != processor.ErrNotOwner {
							t.Errorf("Check: %v, want %v", got, processor.ErrNotOwner)
						}
					}
					if got := context.Cause(ctx); got != c.cause {
						t.Errorf("cause of the context: %v, want %v", got, c.cause)
					}
					<-s.Revoked()
					return c.result
				})
				r.store.save = func(context.Context, processor.Owner, processor.Position) error {
					saves++
					return fmt.Errorf("epoch 4 has it: %w", processor.ErrNotOwner)
				}
				r.start().want(shardset.OutcomeFenced)
				if saves != 1 {
					t.Errorf("the store was asked %d times, want once", saves)
				}
			})
		})
	}
}

// After any other error the run continues, and a later commit can succeed.
func TestStoreErrorIsNotFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 2
		var after []error
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			for _, p := range []processor.Position{"a", "b"} {
				err := s.Commit(ctx, p)
				if !errors.Is(err, errFlaky) {
					t.Errorf("Commit of %q: %v, want %v", p, err, errFlaky)
				}
				if want := fmt.Sprintf("commit of shard orders/7 at %q: flaky", p); err != nil && err.Error() != want {
					t.Errorf("Commit of %q: %q, want %q", p, err, want)
				}
				if err := s.Check(); err != nil {
					t.Errorf("Check after a failed commit: %v", err)
				}
			}
			return s.Commit(ctx, "c")
		})
		r.store.save = func(context.Context, processor.Owner, processor.Position) error {
			if failures--; failures >= 0 {
				return errFlaky
			}
			return nil
		}
		r.cfg.Hooks.After = func(_ processor.Commit, err error) { after = append(after, err) }
		r.start().want(shardset.OutcomeComplete)
		if got, want := r.store.positions(), []processor.Position{"c"}; !slices.Equal(got, want) {
			t.Errorf("saved %q, want %q", got, want)
		}
		if len(after) != 3 || !errors.Is(after[0], errFlaky) || !errors.Is(after[1], errFlaky) || after[2] != nil {
			t.Errorf("After heard %v, want two failures and a success", after)
		}
	})
}
