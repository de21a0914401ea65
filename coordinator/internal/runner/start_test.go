package runner_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// The run reads the checkpoint itself, so after the grant, and before it calls the Factory.
func TestStartOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.cfg.Factory = func(_ context.Context, l shardset.Lease) (processor.Processor, error) {
			r.note("factory %v epoch %d for %v", l.ID, l.Epoch, time.Until(l.NotAfter))
			return processor.Func(func(_ context.Context, s *processor.Shard) error {
				r.note("process %v epoch %d for %v", s.ID(), s.Lease().Epoch, time.Until(s.Lease().NotAfter))
				return nil
			}), nil
		}
		r.start().want(shardset.OutcomeComplete)
		r.wantEvents("load", "factory orders/7 epoch 3 for 1h0m0s", `started "" false`,
			"process orders/7 epoch 3 for 1h0m0s", "done complete")
	})
}

// New reads nothing: the grant may have ended before Do is called.
func TestNewTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, untilRevoked)
		runner.New(r.cfg).New(t.Context(), r.lease, 11, r.term)
		r.wantEvents()
	})
}

func TestLoadSeesTheOwner(t *testing.T) {
	for _, epochs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var got processor.Owner
			r := newRig(t, func(context.Context, *processor.Shard) error { return nil })
			r.cfg.Epochs = epochs
			r.store.load = func(_ context.Context, o processor.Owner) error { got = o; return nil }
			r.start().want(shardset.OutcomeComplete)
			lease := r.lease
			lease.NotAfter = r.term.NotAfter()
			if want := (processor.Owner{Member: "m1", Instance: 11, Lease: lease, Epochs: epochs}); got != want {
				t.Errorf("Load was called for %+v, want %+v", got, want)
			}
		})
	}
}

// Each attempt has its own processor, its own handle and the newest checkpoint.
func TestEachAttemptStartsAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handles []*processor.Shard
		r := newRig(t, nil)
		made := 0
		r.cfg.Factory = func(context.Context, shardset.Lease) (processor.Processor, error) {
			made++
			mine := made
			return processor.Func(func(ctx context.Context, s *processor.Shard) error {
				handles = append(handles, s)
				p, found := s.Resume()
				r.note("processor %d at %q %v", mine, p, found)
				if mine == 3 {
					return nil
				}
				if err := s.Commit(ctx, processor.Position(rune('a'+mine))); err != nil {
					t.Errorf("Commit in attempt %d: %v", mine, err)
				}
				return errFlaky
			}), nil
		}
		r.start().want(shardset.OutcomeComplete)
		r.wantEvents(
			"load", `started "" false`, `processor 1 at "" false`, "save b", `committed "b": <nil>`, "failed, restart true: flaky",
			"load", `started "b" true`, `processor 2 at "b" true`, "save c", `committed "c": <nil>`, "failed, restart true: flaky",
			"load", `started "c" true`, `processor 3 at "c" true`, "done complete")
		if handles[0] == handles[1] || handles[1] == handles[2] {
			t.Errorf("two attempts got the same Shard: %p", handles)
		}
	})
}

// Nothing starts under a lease that has expired, at whatever point it did. In this test
// nothing cancels the run.
func TestNoStartUnderAnEndedLease(t *testing.T) {
	for _, c := range []struct {
		name   string
		frozen string // where the process is while the lease ends
		events []string
	}{
		{"before the run", "before", []string{"done lost"}},
		{"while loading", "load", []string{"load", "done lost"}},
		{"in the factory", "factory", []string{"load", "factory", "done lost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.term = runner.NewMemberLease(time.Now().Add(time.Second))
				freeze := func(where string) {
					if where == c.frozen {
						time.Sleep(time.Second)
					}
				}
				r.store.load = func(context.Context, processor.Owner) error { freeze("load"); return nil }
				r.cfg.Factory = func(context.Context, shardset.Lease) (processor.Processor, error) {
					r.note("factory")
					freeze("factory")
					return processor.Func(func(context.Context, *processor.Shard) error {
						t.Error("Process was called under a lease that is over")
						return nil
					}), nil
				}
				freeze("before")
				r.start().want(shardset.OutcomeLost)
				r.wantEvents(c.events...)
			})
		})
	}
}

// Loading claims the shard in a store that can fence, so a run that wakes after its
// lease must not even load: it would lock the new owner out.
func TestNoLoadUnderAnEndedLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, *processor.Shard) error { return errFlaky })
		r.term = runner.NewMemberLease(time.Now().Add(100 * time.Millisecond)) // ends in the first pause
		r.start().want(shardset.OutcomeLost)
		r.wantEvents("load", `started "" false`, "failed, restart true: flaky", "done lost")
	})
}

// A run that is stopped before it has started ends at once.
func TestRevokedBeforeProcess(t *testing.T) {
	for _, where := range []string{"before", "load", "factory", "pause"} {
		for outcome, stop := range map[shardset.Outcome]func(*runner.Run){
			shardset.OutcomeReleased: func(r *runner.Run) { r.Revoke(processor.ErrRevoked) },
			shardset.OutcomeLost:     func(r *runner.Run) { r.Cancel(processor.ErrLeaseLost) },
		} {
			t.Run(where+"/"+outcome.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					calls := 0
					r := newRig(t, nil)
					if where == "load" {
						r.store.load = func(ctx context.Context, _ processor.Owner) error { return hang(ctx) }
					}
					r.cfg.Factory = func(ctx context.Context, _ shardset.Lease) (processor.Processor, error) {
						if where == "factory" {
							return nil, hang(ctx)
						}
						return processor.Func(func(context.Context, *processor.Shard) error { calls++; return errFlaky }), nil
					}
					if where == "before" {
						r.run = runner.New(r.cfg).New(t.Context(), r.lease, 11, r.term)
						stop(r.run)
						go r.run.Do(func(o shardset.Outcome) { r.out <- o })
						r.want(outcome)
						r.wantEvents()
						return
					}
					r.start()
					from := time.Now()
					stop(r.run)
					r.want(outcome)
					if took := time.Since(from); took != 0 {
						t.Errorf("released after %v, want at once", took)
					}
					want := 0
					if where == "pause" {
						want = 1
					}
					if calls != want {
						t.Errorf("Process was called %d times, want %d", calls, want)
					}
				})
			})
		}
	}
}
