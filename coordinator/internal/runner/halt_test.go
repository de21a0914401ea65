package runner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

var errBad = errors.New("record 17 cannot be read")

// halts is a processor that halts its shard at once.
func halts(context.Context, *processor.Shard) error { return processor.Halt(errBad) }

// A halted shard is neither started again nor released until it is revoked or lost. Then
// the run ends at once, and nothing is reported twice.
func TestHalt(t *testing.T) {
	returns := func(err error) processor.Func {
		return func(context.Context, *processor.Shard) error { return err }
	}
	for name, work := range map[string]processor.Func{
		"returned":       halts,
		"wrapped":        returns(fmt.Errorf("sink: %w", processor.Halt(errBad))),
		"joined":         returns(errors.Join(errFlaky, processor.Halt(errBad))),
		"about an end":   returns(processor.Halt(fmt.Errorf("%w: %w", errBad, processor.ErrShardClosed))),
		"about a panic":  returns(processor.Halt(&processor.PanicError{Value: errBad})),
		"about a cancel": returns(processor.Halt(errors.Join(errBad, context.Canceled))),
	} {
		for stop, tell := range map[string]func(*rig){
			"revoked":  func(r *rig) { r.run.Revoke(processor.ErrRevoked) },
			"shutdown": func(r *rig) { r.run.Revoke(processor.ErrShutdown) },
			"lost":     func(r *rig) { r.run.Cancel(processor.ErrLeaseLost) },
			// The process was frozen past the lease, and the owner is told later.
			"lease over": func(r *rig) { r.term.End(); r.run.Revoke(processor.ErrRevoked) },
		} {
			t.Run(name+"/"+stop, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, work)
					told := watchHalts(r)
					begin := time.Now()
					r.start()
					time.Sleep(30 * time.Minute)
					wantStatus(t, "halted", r.run.Status(), runner.Status{
						Phase: runner.PhaseHalted, Since: begin, LastError: errBad})
					select {
					case o := <-r.out:
						t.Fatalf("the run ended by itself as %v", o)
					default:
					}
					from := time.Now()
					tell(r)
					want := shardset.OutcomeReleased
					if stop == "lost" || stop == "lease over" {
						want = shardset.OutcomeLost
					}
					r.want(want)
					if took := time.Since(from); took != 0 {
						t.Errorf("released after %v, want at once", took)
					}
					r.wantEvents("load", `started "" false`, "halted", fmt.Sprintf("done %v", want))
					if len(*told) != 1 || !errors.Is((*told)[0], errBad) {
						t.Errorf("told of the halts %v, want one that matches %v", *told, errBad)
					}
					if err := r.run.Status().LastError; !errors.Is(err, errBad) {
						t.Errorf("the last error after the end is %v, want %v", err, errBad)
					}
				})
			})
		}
	}
}

// watchHalts notes halts among the events, and returns their errors.
func watchHalts(r *rig) *[]error {
	var told []error
	r.reports.Halted = func(l shardset.Lease, err error) {
		if l.ID != r.lease.ID || l.Epoch != r.lease.Epoch {
			r.t.Errorf("halted under %+v, want %+v", l, r.lease)
		}
		r.event("halted")
		r.run.Status() // a lock held across the call would not let this through
		told = append(told, err)
	}
	return &told
}

// A halt works without Config.Report too.
func TestHaltUnobserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, halts)
		r.cfg.Report = nil
		r.start()
		if got := r.run.Status().Phase; got != runner.PhaseHalted {
			t.Errorf("the phase is %v, want %v", got, runner.PhaseHalted)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
	})
}

// While the shard is halted, its Shard refuses to commit and its context has ended.
func TestHaltedHandleIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		var s *processor.Shard
		r := newRig(t, func(c context.Context, sh *processor.Shard) error {
			ctx, s = c, sh
			return processor.Halt(errBad)
		})
		r.start()
		if got := context.Cause(ctx); got != processor.ErrReturned {
			t.Errorf("the cause of the context is %v, want %v", got, processor.ErrReturned)
		}
		if err := s.Commit(context.WithoutCancel(ctx), "p"); !errors.Is(err, processor.ErrReturned) {
			t.Errorf("Commit: %v, want %v", err, processor.ErrReturned)
		}
		if err := s.Cause(); err != nil {
			t.Errorf("Cause: %v, although the shard need not go", err)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
	})
}

// A commit that is in flight when Process halts ends before the halt.
func TestHaltSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			go s.Commit(context.WithoutCancel(ctx), "p")
			time.Sleep(time.Nanosecond)
			return processor.Halt(errBad)
		})
		watchHalts(r)
		r.store.save = func(ctx context.Context, _ processor.Owner, _ processor.Position) error {
			return slow(ctx, 2*time.Second)
		}
		r.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		r.wantEvents("load", `started "" false`, "save p", `committed "p": <nil>`, "halted")
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
	})
}

// A Factory may halt the shard as Process may, also after failed attempts.
func TestHaltFromTheFactory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		made := 0
		r.cfg.Factory = func(context.Context, shardset.Lease) (processor.Processor, error) {
			if made++; made < 3 {
				return nil, errFlaky
			}
			return nil, processor.Halt(errBad)
		}
		told := watchHalts(r)
		r.start()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		st := r.run.Status()
		if st.Phase != runner.PhaseHalted || st.Restarts != 2 || !errors.Is(st.LastError, errBad) {
			t.Errorf("the status is %+v, want halted after 2 restarts with %v", st, errBad)
		}
		if made != 3 || len(*told) != 1 {
			t.Errorf("the Factory was called %d times, and %d halts were told; want 3 and 1", made, len(*told))
		}
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
	})
}
