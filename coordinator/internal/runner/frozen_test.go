package runner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// In a process that was frozen until after its lease expired, no context is cancelled.
// The first thing that it does after the freeze fails, and that ends everything else.
func TestFrozenPastTheLease(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(context.Context, *processor.Shard) error
	}{
		{"check", func(_ context.Context, s *processor.Shard) error { return s.Check() }},
		{"commit", func(ctx context.Context, s *processor.Shard) error { return s.Commit(ctx, "p") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.term = runner.NewMemberLease(time.Now().Add(10 * time.Second))
				r.cfg.Factory = processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
					time.Sleep(10*time.Second - 1)
					if err := s.Check(); err != nil {
						t.Errorf("Check in the last instant of the lease: %v", err)
					}
					time.Sleep(time.Nanosecond) // frozen
					if ctx.Err() != nil {
						t.Errorf("the context ended by itself: %v", context.Cause(ctx))
					}
					if err := c.first(ctx, s); !errors.Is(err, processor.ErrLeaseLost) {
						t.Errorf("first %s after the freeze: %v, want %v", c.name, err, processor.ErrLeaseLost)
					}
					if got := context.Cause(ctx); got != processor.ErrLeaseLost {
						t.Errorf("cause of the context after that: %v, want %v", got, processor.ErrLeaseLost)
					}
					if r.term.Extend(time.Now(), time.Now().Add(time.Hour)) {
						t.Error("a late answer extended the lease")
					}
					if err := s.Commit(context.WithoutCancel(ctx), "q"); !errors.Is(err, processor.ErrLeaseLost) {
						t.Errorf("Commit after a late answer: %v, want %v", err, processor.ErrLeaseLost)
					}
					return nil
				})
				r.cfg.Hooks.Before = func(_ context.Context, c processor.Commit) error {
					t.Errorf("the Before hook was asked to flush for %q after the lease", c.Position)
					return nil
				}
				r.start().want(shardset.OutcomeLost)
				if got := r.store.positions(); len(got) != 0 {
					t.Errorf("saved %q after the lease, want nothing", got)
				}
			})
		})
	}
}

// A result that Process returns after a freeze does not count: another member may own
// the shard. So the shard is neither complete nor closed, and there is no restart.
func TestFrozenBeforeTheReturn(t *testing.T) {
	for _, result := range []error{nil, processor.ErrShardClosed, errFlaky} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(context.Context, *processor.Shard) error {
				time.Sleep(time.Minute)
				return result
			})
			r.term = runner.NewMemberLease(time.Now().Add(time.Minute))
			from := time.Now()
			r.start().want(shardset.OutcomeLost)
			if took := time.Since(from); took != time.Minute {
				t.Errorf("result %v: released after %v, want at once after a minute", result, took)
			}
		})
	}
}

// If one goroutine finds the lease expired, the lease ends for all shards.
func TestFrozenShardsShareTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := runner.NewMemberLease(time.Now().Add(time.Second))
		rigs := make([]*rig, 3)
		for i := range rigs {
			rigs[i] = newRig(t, func(ctx context.Context, s *processor.Shard) error {
				time.Sleep(time.Second)
				return s.Commit(ctx, "p")
			})
			rigs[i].term = term
			rigs[i].start()
		}
		for _, r := range rigs {
			r.want(shardset.OutcomeLost)
			if got := r.store.positions(); len(got) != 0 {
				t.Errorf("saved %q after the lease, want nothing", got)
			}
		}
	})
}
