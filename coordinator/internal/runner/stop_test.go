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

// The two phases of a stop: first Revoked closes and the context lives, then, after
// the drain timeout, the context ends too. Commits are accepted all the way, because
// the shard is this member's until Process returns.
func TestTwoPhaseStop(t *testing.T) {
	for _, cause := range []error{processor.ErrRevoked, processor.ErrShutdown} {
		t.Run(cause.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
					fresh := context.WithoutCancel(ctx)
					check := func(phase string, wantCause, wantCtx error) {
						if got := s.Cause(); got != wantCause {
							t.Errorf("%s: Cause() = %v, want %v", phase, got, wantCause)
						}
						if got := context.Cause(ctx); got != wantCtx {
							t.Errorf("%s: cause of the context: %v, want %v", phase, got, wantCtx)
						}
						if got := s.Check(); got != nil {
							t.Errorf("%s: Check() = %v, want nil", phase, got)
						}
						if err := s.Commit(fresh, processor.Position(phase)); err != nil {
							t.Errorf("%s: Commit with a fresh context: %v", phase, err)
						}
					}
					check("held", nil, nil)
					<-s.Revoked()
					check("draining", cause, nil)
					<-ctx.Done()
					check("overdue", cause, cause)
					return context.Cause(ctx)
				})
				r.start()
				time.Sleep(time.Minute)
				r.run.Revoke(cause)
				time.Sleep(30 * time.Second)
				r.run.Cancel(cause)
				r.want(shardset.OutcomeReleased)
				r.wantEvents("load", `started "" false`,
					"save held", `committed "held": <nil>`,
					"save draining", `committed "draining": <nil>`,
					"save overdue", `committed "overdue": <nil>`, "done released")
			})
		})
	}
}

// A commit with the context that the drain timeout has ended never reaches the store.
func TestCommitWithAnEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			<-ctx.Done()
			for i := range 100 {
				if err := s.Commit(ctx, "p"); !errors.Is(err, processor.ErrShutdown) {
					t.Errorf("commit %d with the ended context: %v, want %v", i, err, processor.ErrShutdown)
					break
				}
			}
			return nil
		})
		r.start()
		r.run.Revoke(processor.ErrShutdown)
		r.run.Cancel(processor.ErrShutdown)
		r.want(shardset.OutcomeReleased)
		if got := r.store.positions(); len(got) != 0 {
			t.Errorf("%d commits with an ended context were saved, want none", len(got))
		}
	})
}

// A loss ends the run at once in every phase. Nothing is committed after it, whatever
// cause the contexts have.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		name       string
		before     func(*runner.Run)
		soft, hard error // the causes that stay
	}{
		{name: "held", before: func(*runner.Run) {},
			soft: processor.ErrLeaseLost, hard: processor.ErrLeaseLost},
		{name: "draining", before: func(r *runner.Run) { r.Revoke(processor.ErrRevoked) },
			soft: processor.ErrRevoked, hard: processor.ErrLeaseLost},
		{name: "overdue", before: func(r *runner.Run) {
			r.Revoke(processor.ErrRevoked)
			r.Cancel(processor.ErrRevoked)
		}, soft: processor.ErrRevoked, hard: processor.ErrRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lost := make(chan struct{})
				r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
					<-lost
					<-ctx.Done()
					<-s.Revoked()
					if got := context.Cause(ctx); got != c.hard {
						t.Errorf("cause of the context: %v, want %v", got, c.hard)
					}
					if got := s.Cause(); got != c.soft {
						t.Errorf("Cause() = %v, want %v", got, c.soft)
					}
					if got := s.Check(); got != processor.ErrLeaseLost {
						t.Errorf("Check() = %v, want %v", got, processor.ErrLeaseLost)
					}
					for _, ctx := range []context.Context{ctx, context.WithoutCancel(ctx)} {
						if err := s.Commit(ctx, "late"); !errors.Is(err, processor.ErrLeaseLost) {
							t.Errorf("Commit: %v, want %v", err, processor.ErrLeaseLost)
						}
					}
					return nil
				})
				r.start()
				c.before(r.run)
				r.run.Cancel(processor.ErrLeaseLost)
				close(lost)
				r.want(shardset.OutcomeLost)
				if got := r.store.positions(); len(got) != 0 {
					t.Errorf("saved %q after the loss, want nothing", got)
				}
			})
		})
	}
}

// An eviction ends the lease before it expires. It also ends a save in flight at once.
func TestLossEndsASaveUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			return s.Commit(context.WithoutCancel(ctx), "p")
		})
		r.store.save = func(ctx context.Context, _ processor.Owner, _ processor.Position) error { return hang(ctx) }
		r.start()
		time.Sleep(time.Second)
		from := time.Now()
		r.run.Cancel(processor.ErrLeaseLost)
		r.want(shardset.OutcomeLost)
		if took := time.Since(from); took != 0 {
			t.Errorf("released %v after the loss, want at once", took)
		}
	})
}

// Neither a revocation nor the drain timeout ends a save in flight.
func TestStopLeavesASaveUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			return s.Commit(context.WithoutCancel(ctx), "p")
		})
		r.store.save = func(ctx context.Context, _ processor.Owner, _ processor.Position) error {
			return slow(ctx, 4*time.Second)
		}
		r.start()
		r.run.Revoke(processor.ErrRevoked)
		r.run.Cancel(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
		if got := r.store.positions(); len(got) != 1 {
			t.Errorf("saved %q, want the one position that was under way", got)
		}
	})
}

// When a context has ended, Cause and the outcome already have the reason. In this test
// many derived contexts make the cancellation slow.
func TestCauseIsThereWhenTheContextEnds(t *testing.T) {
	for range 5 {
		ready := make(chan struct{})
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			for range 5_000 {
				_, cancel := context.WithCancel(ctx)
				defer cancel()
			}
			close(ready)
			<-ctx.Done()
			if s.Cause() == nil {
				t.Error("the context ended while Cause was nil")
			}
			return nil
		})
		r.run = runner.New(r.cfg).New(context.Background(), r.lease, 11, r.term)
		go r.run.Do(func(o shardset.Outcome) { r.out <- o })
		<-ready
		r.run.Cancel(processor.ErrLeaseLost)
		if got := <-r.out; got != shardset.OutcomeLost {
			t.Errorf("outcome %v, want %v", got, shardset.OutcomeLost)
		}
	}
}
