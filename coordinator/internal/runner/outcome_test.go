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

var (
	errFlaky = errors.New("flaky")
	errSink  = errors.New("sink is full")
)

// The outcome of each result of Process, after each way to stop the run.
func TestOutcome(t *testing.T) {
	revoke := func(r *runner.Run) { r.Revoke(processor.ErrRevoked) }
	shutDown := func(r *runner.Run) { r.Revoke(processor.ErrShutdown) }
	lose := func(r *runner.Run) { r.Cancel(processor.ErrLeaseLost) }
	drainEnds := func(r *runner.Run) { r.Cancel(processor.ErrRevoked) }
	ended := fmt.Errorf("at the end: %w", processor.ErrShardClosed)

	for _, c := range []struct {
		name   string
		told   []func(*runner.Run)
		err    error
		want   shardset.Outcome
		failed bool // the observer hears of err
	}{
		{name: "nil", want: shardset.OutcomeComplete},
		{name: "nil when revoked", told: told(revoke), want: shardset.OutcomeReleased},
		{name: "nil at shutdown", told: told(shutDown), want: shardset.OutcomeReleased},
		{name: "nil after the drain", told: told(revoke, drainEnds), want: shardset.OutcomeReleased},
		{name: "nil when lost", told: told(lose), want: shardset.OutcomeLost},

		{name: "ended", err: processor.ErrShardClosed, want: shardset.OutcomeClosed},
		{name: "ended, wrapped", err: ended, want: shardset.OutcomeClosed},
		{name: "ended when revoked", told: told(revoke), err: ended, want: shardset.OutcomeClosed},
		{name: "ended after the drain", told: told(revoke, drainEnds), err: ended, want: shardset.OutcomeClosed},
		{name: "ended when lost", told: told(lose), err: ended, want: shardset.OutcomeLost},
		{name: "ended when revoked, then lost", told: told(revoke, lose), err: ended, want: shardset.OutcomeLost},
		{name: "ended after the drain, then lost", told: told(revoke, drainEnds, lose), err: ended, want: shardset.OutcomeLost},

		{name: "echo of a revocation", told: told(revoke), err: processor.ErrRevoked, want: shardset.OutcomeReleased},
		{name: "echo, wrapped", told: told(revoke), err: fmt.Errorf("stop: %w", processor.ErrRevoked), want: shardset.OutcomeReleased},
		{name: "echo of the context", told: told(revoke, drainEnds), err: context.Canceled, want: shardset.OutcomeReleased},
		{name: "echo of a loss", told: told(lose), err: processor.ErrLeaseLost, want: shardset.OutcomeLost},
		{name: "echo of a loss in the drain", told: told(revoke, lose), err: processor.ErrLeaseLost, want: shardset.OutcomeLost},
		{name: "failure when revoked", told: told(revoke), err: errSink, want: shardset.OutcomeReleased, failed: true},
		{name: "failure when lost", told: told(lose), err: errSink, want: shardset.OutcomeLost, failed: true},

		{name: "fenced by a sink", err: fmt.Errorf("sink: %w", processor.ErrNotOwner), want: shardset.OutcomeFenced, failed: true},
		{name: "fenced by a sink when revoked", told: told(revoke), err: processor.ErrNotOwner, want: shardset.OutcomeFenced, failed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r *rig
				r = newRig(t, func(context.Context, *processor.Shard) error {
					for _, tell := range c.told {
						tell(r.run)
					}
					return c.err
				})
				r.start().want(c.want)
				want := []string{"load", `started "" false`, fmt.Sprintf("done %v", c.want)}
				if c.failed {
					want = []string{want[0], want[1], fmt.Sprintf("failed, restart false: %v", c.err), want[2]}
				}
				r.wantEvents(want...)
			})
		})
	}
}

func told(f ...func(*runner.Run)) []func(*runner.Run) { return f }

// A store that knows a newer owner ends the run, and the run reports why.
func TestFencedByLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, untilRevoked)
		r.store.load = func(context.Context, processor.Owner) error {
			return fmt.Errorf("epoch 9 was here: %w", processor.ErrNotOwner)
		}
		r.start().want(shardset.OutcomeFenced)
		r.wantEvents("load",
			"failed, restart false: read the checkpoint of shard orders/7: epoch 9 was here: "+processor.ErrNotOwner.Error(),
			"done fenced")
		if err := r.run.Status().LastError; !errors.Is(err, processor.ErrNotOwner) {
			t.Errorf("the last error in the status is %v, want %v", err, processor.ErrNotOwner)
		}
	})
}

// The first of two stops sets the causes.
func TestFirstCauseStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			<-ctx.Done()
			if got := context.Cause(ctx); got != processor.ErrRevoked {
				t.Errorf("cause of the context: %v, want %v", got, processor.ErrRevoked)
			}
			if got := s.Cause(); got != processor.ErrShutdown {
				t.Errorf("Cause: %v, want %v", got, processor.ErrShutdown)
			}
			return nil
		})
		r.start()
		r.run.Revoke(processor.ErrShutdown)
		r.run.Revoke(processor.ErrRevoked)
		r.run.Cancel(processor.ErrRevoked)
		r.run.Cancel(processor.ErrShutdown)
		r.want(shardset.OutcomeReleased)
	})
}

// An error marked with Fatal ends the run, however it is wrapped, and Run.Fatal returns
// it. A panic with such an error is a panic.
func TestFatal(t *testing.T) {
	missing := errors.New("no such table")
	for _, tc := range []struct {
		name  string
		work  processor.Func
		fatal bool
	}{
		{"returned", func(context.Context, *processor.Shard) error { return processor.Fatal(missing) }, true},
		{"wrapped", func(context.Context, *processor.Shard) error { return fmt.Errorf("sink: %w", processor.Fatal(missing)) }, true},
		{"panic", func(_ context.Context, s *processor.Shard) error { panic(processor.Fatal(missing)) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tc.work).start()
				time.Sleep(time.Minute)
				r.run.Revoke(processor.ErrShutdown)
				got := r.finish()
				if tc.fatal && (got != shardset.OutcomeFailed || !errors.Is(r.run.Fatal(), missing)) {
					t.Errorf("the run ended as %s with %v, want failed with %v", got, r.run.Fatal(), missing)
				}
				if !tc.fatal && (got != shardset.OutcomeReleased || r.run.Fatal() != nil) {
					t.Errorf("the run ended as %s with %v, want released without a fatal error", got, r.run.Fatal())
				}
			})
		})
	}
	if err := processor.Fatal(nil); err != nil {
		t.Errorf("Fatal(nil) = %v", err)
	}
}
