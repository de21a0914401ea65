package runner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// wantStatus compares all of a status but the error, which has to match.
func wantStatus(t *testing.T, when string, got, want runner.Status) {
	t.Helper()
	if !errors.Is(got.LastError, want.LastError) {
		t.Errorf("%s: last error %v, want %v", when, got.LastError, want.LastError)
	}
	got.LastError, want.LastError = nil, nil
	if got != want {
		t.Errorf("%s: status\n got %+v\nwant %+v", when, got, want)
	}
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
		sleepUntil := func(s int) { time.Sleep(time.Until(at(s))) }
		calls := 0
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			if calls++; calls == 1 {
				time.Sleep(2 * time.Second) // at 3
				s.Commit(ctx, "a")
				time.Sleep(time.Second)
				s.Commit(ctx, "bad")
				time.Sleep(time.Second)
				return errFlaky
			}
			<-s.Revoked()
			return nil
		})
		r.cfg.Restart = processor.Backoff{Min: 20 * time.Second, Max: 20 * time.Second}
		r.store.load = func(context.Context, processor.Owner) error { time.Sleep(time.Second); return nil }
		r.store.save = func(_ context.Context, _ processor.Owner, p processor.Position) error {
			if p == "bad" {
				return errSink
			}
			return nil
		}
		told := pauses(r)
		r.start()
		wantStatus(t, "loading", r.run.Status(), runner.Status{Phase: runner.PhaseStarting, Since: at(0)})
		sleepUntil(2)
		wantStatus(t, "at work", r.run.Status(), runner.Status{Phase: runner.PhaseRunning, Since: at(1)})
		time.Sleep(time.Second + 1)
		wantStatus(t, "after a commit", r.run.Status(), runner.Status{
			Phase: runner.PhaseRunning, Since: at(1), Position: "a", CommittedAt: at(3)})
		time.Sleep(time.Second)
		wantStatus(t, "after a failed commit", r.run.Status(), runner.Status{
			Phase: runner.PhaseRunning, Since: at(1), Position: "a", CommittedAt: at(3), LastError: errSink})
		time.Sleep(time.Second)
		wantStatus(t, "in the pause", r.run.Status(), runner.Status{
			Phase: runner.PhaseRestarting, Since: at(5), Position: "a", CommittedAt: at(3), LastError: errFlaky})
		again := at(5).Add((*told)[0])
		time.Sleep(time.Until(again) + 1)
		wantStatus(t, "loading again", r.run.Status(), runner.Status{
			Phase: runner.PhaseStarting, Since: again, Restarts: 1, Position: "a", CommittedAt: at(3), LastError: errFlaky})
		time.Sleep(time.Second)
		wantStatus(t, "at work again", r.run.Status(), runner.Status{
			Phase: runner.PhaseRunning, Since: again.Add(time.Second), Restarts: 1,
			Position: "a", CommittedAt: at(3), LastError: errFlaky})
		r.run.Revoke(processor.ErrRevoked)
		over := time.Now()
		r.want(shardset.OutcomeReleased)
		wantStatus(t, "returned", r.run.Status(), runner.Status{
			Phase: runner.PhaseReturned, Since: over, Restarts: 1,
			Position: "a", CommittedAt: at(3), LastError: errFlaky})
	})
}

// A restart that was stopped in its pause does not count.
func TestRestartsCountsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, *processor.Shard) error { return errFlaky })
		r.start()
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
		if got := r.run.Status().Restarts; got != 0 {
			t.Errorf("%d restarts in the status of a run with a single attempt", got)
		}
	})
}

// The events have the current lease and the pause before the next attempt.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			if _, found := s.Resume(); found {
				return nil
			}
			if err := s.Commit(ctx, "a"); err != nil {
				t.Errorf("Commit: %v", err)
			}
			return errFlaky
		})
		lease := r.lease
		lease.NotAfter = r.term.NotAfter()
		var resumed []processor.Position
		r.reports = reports{
			Started: func(l shardset.Lease, resume processor.Position, found bool) {
				if l != lease || found != (resume == "a") {
					t.Errorf("Started(%+v, %q, %v), want the lease %+v", l, resume, found, lease)
				}
				resumed = append(resumed, resume)
			},
			Failed: func(l shardset.Lease, err error, pause time.Duration) {
				if l != lease || err != errFlaky || pause <= 0 {
					t.Errorf("Failed(%+v, %v, %v), want %+v, %v and a pause", l, err, pause, lease, errFlaky)
				}
			},
			Committed: func(c processor.Commit, err error) {
				if want := (processor.Commit{Member: "m1", Lease: lease, Position: "a"}); c != want || err != nil {
					t.Errorf("Committed(%+v, %v), want %+v", c, err, want)
				}
			},
		}
		r.start().want(shardset.OutcomeComplete)
		if len(resumed) != 2 || resumed[0] != "" || resumed[1] != "a" {
			t.Errorf("started at %q, want at the beginning and at %q", resumed, "a")
		}
	})
}

func TestShardLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ context.Context, s *processor.Shard) error {
			s.Logger().Info("hello")
			return nil
		})
		core, logs := observer.New(zap.InfoLevel)
		r.cfg.Logger = zap.New(core)
		r.start().want(shardset.OutcomeComplete)
		lines := logs.FilterMessage("hello").All()
		if len(lines) != 1 {
			t.Fatalf("%d lines logged, want 1", len(lines))
		}
		fields := lines[0].ContextMap()
		if len(fields) != 2 || fields["shard"] != "orders/7" || fields["epoch"] != uint64(3) {
			t.Errorf("fields %v, want shard orders/7, epoch 3", fields)
		}
	})
}

// Without Config.Logger, Shard.Logger returns a logger that writes nothing.
func TestShardLoggerDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ context.Context, s *processor.Shard) error {
			s.Logger().Info("nobody hears")
			return nil
		})
		r.start().want(shardset.OutcomeComplete)
	})
}

// Each heartbeat extends Shard.Lease. The context has the values of the context given to
// New, but does not end with it.
func TestShardLeaseAndContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			if got := ctx.Value(key{}); got != "value" {
				t.Errorf("the context of Process has the value %v, want that of its maker", got)
			}
			if ctx.Err() != nil {
				t.Errorf("the context of Process ended with its maker's: %v", context.Cause(ctx))
			}
			end := time.Now().Add(2 * time.Hour)
			if l := s.Lease(); !l.Valid(time.Now()) {
				t.Errorf("the lease %+v is not valid", l)
			}
			time.Sleep(time.Minute)
			if got := s.Lease().NotAfter; !got.Equal(end) {
				t.Errorf("the lease ends at %v, want the end of the extended lease, %v", got, end)
			}
			return nil
		})
		maker, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		cancel()
		r.run = runner.New(r.cfg).New(maker, r.lease, 11, r.term)
		go r.run.Do(func(o shardset.Outcome) { r.out <- o })
		synctest.Wait()
		r.term.Extend(time.Now(), time.Now().Add(2*time.Hour))
		r.want(shardset.OutcomeComplete)
		if got := r.run.Epoch(); got != 3 {
			t.Errorf("Epoch() = %d, want 3", got)
		}
	})
}

func TestPhaseString(t *testing.T) {
	for p, want := range map[runner.Phase]string{
		runner.PhaseStarting: "starting", runner.PhaseRunning: "running",
		runner.PhaseRestarting: "restarting", runner.PhaseHalted: "halted", runner.PhaseReturned: "returned", 9: "Phase(9)",
	} {
		if got := p.String(); got != want {
			t.Errorf("Phase(%d).String() = %q, want %q", uint8(p), got, want)
		}
	}
}
