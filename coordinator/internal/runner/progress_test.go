package runner_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

var (
	poison = processor.Poison{From: "7", Next: "9", Items: 2, Attempts: 5, DeadLettered: true, Err: errSink}
	gap    = processor.Gap{Lost: "3", Resumed: "7", Err: errFlaky}
)

// watchReports compares the reports with what is wanted, and counts them.
func watchReports(r *rig) (poisoned, skipped func() int) {
	var mu sync.Mutex
	var p, g int
	lease := r.lease
	lease.NotAfter = r.term.NotAfter()
	r.reports.Poisoned = func(l shardset.Lease, got processor.Poison) {
		if l != lease || got != poison {
			r.t.Errorf("Poisoned(%+v, %+v), want %+v and %+v", l, got, lease, poison)
		}
		r.event("poisoned")
		r.run.Status() // a lock held across the call would not let this through
		mu.Lock()
		defer mu.Unlock()
		p++
	}
	r.reports.Skipped = func(l shardset.Lease, got processor.Gap) {
		if l != lease || got != gap {
			r.t.Errorf("Skipped(%+v, %+v), want %+v and %+v", l, got, lease, gap)
		}
		r.event("skipped")
		r.run.Status()
		mu.Lock()
		defer mu.Unlock()
		g++
	}
	count := func(n *int) func() int {
		return func() int {
			mu.Lock()
			defer mu.Unlock()
			return *n
		}
	}
	return count(&p), count(&g)
}

// The status shows a report of Process at once. Poison and gaps add up over the attempts.
// Each attempt starts with the zero Progress.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		progress := processor.Progress{Batches: 1, Items: 2, Bytes: 3, Retries: 4, Reading: "8",
			Lag: time.Second, CaughtUp: true, Buffered: 5, Trouble: errSink}
		calls := 0
		r := newRig(t, func(_ context.Context, s *processor.Shard) error {
			s.ReportPoison(poison)
			s.ReportGap(gap)
			if calls++; calls == 2 {
				s.ReportPoison(poison)
				<-s.Revoked()
				return nil
			}
			s.ReportProgress(processor.Progress{Items: 99})
			s.ReportProgress(progress)
			return errFlaky
		})
		watchReports(r)
		r.start()
		st := r.run.Status()
		if st.Phase != runner.PhaseRestarting || st.Progress != progress || st.Poison != 1 || st.Gaps != 1 {
			t.Errorf("after the first attempt the status is %+v, want its last report, one poison and one gap", st)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		st = r.run.Status()
		if st.Progress != (processor.Progress{}) || st.Poison != 3 || st.Gaps != 2 {
			t.Errorf("in the second attempt the status is %+v, want no progress, 3 poison, 2 gaps", st)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
		r.wantEvents("load", `started "" false`, "poisoned", "skipped", "failed, restart true: flaky",
			"load", `started "" false`, "poisoned", "skipped", "poisoned", "done released")
	})
}

// The status adds the time since LagSince to a lag. An unknown lag stays unknown.
func TestLagGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shard *processor.Shard
		r := newRig(t, func(_ context.Context, s *processor.Shard) error {
			shard = s
			<-s.Revoked()
			return nil
		})
		r.start()
		for _, tt := range []struct {
			lag   time.Duration
			since time.Time
			want  time.Duration
		}{
			{time.Second, time.Time{}, time.Second},
			{time.Second, time.Now(), time.Second + 2*time.Minute},
			{0, time.Now().Add(-time.Minute), 4 * time.Minute},
			{time.Second, time.Now().Add(time.Hour), time.Second},
			{-1, time.Now(), -1},
		} {
			shard.ReportProgress(processor.Progress{Lag: tt.lag, LagSince: tt.since})
			time.Sleep(time.Minute)
			if got := r.run.Status().Progress.Lag; got != tt.want {
				t.Errorf("%v at %v is shown as %v, want %v", tt.lag, tt.since, got, tt.want)
			}
		}
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
	})
}

// The status keeps the last report of a halted shard.
func TestReportOfAHaltedShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ context.Context, s *processor.Shard) error {
			s.ReportProgress(processor.Progress{Items: 12, Reading: "13"})
			return processor.Halt(errBad)
		})
		r.start()
		if st := r.run.Status(); st.Phase != runner.PhaseHalted || st.Progress.Items != 12 || st.Progress.Reading != "13" {
			t.Errorf("the status is %+v, want halted with the last report", st)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
	})
}

// A Config.Report that panics does not block later reports.
func TestTellingPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, func(_ context.Context, s *processor.Shard) error {
			switch calls++; calls {
			case 1:
				s.ReportPoison(poison)
			case 2:
				s.ReportGap(gap)
			}
			return nil
		})
		r.reports.Poisoned = func(shardset.Lease, processor.Poison) { panic("poisoned") }
		r.reports.Skipped = func(shardset.Lease, processor.Gap) { panic("skipped") }
		r.start().want(shardset.OutcomeComplete)
		var p *processor.PanicError
		if st := r.run.Status(); st.Restarts != 2 || !errors.As(st.LastError, &p) || p.Value != "skipped" {
			t.Errorf("the status is %+v, want 2 restarts after panics", st)
		}
	})
}

// The run counts poison and gaps without Config.Report too, also while the shard drains
// and after it is lost: they have happened.
func TestReportsUnobserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			<-s.Revoked()
			s.ReportPoison(poison)
			<-ctx.Done()
			s.ReportGap(gap)
			s.ReportProgress(processor.Progress{Items: 1})
			return nil
		})
		r.cfg.Report = nil
		r.start()
		r.run.Revoke(processor.ErrRevoked)
		synctest.Wait()
		r.run.Cancel(processor.ErrLeaseLost)
		r.want(shardset.OutcomeLost)
		if st := r.run.Status(); st.Poison != 1 || st.Gaps != 1 || st.Progress.Items != 1 {
			t.Errorf("the status is %+v, want one poison, one gap and the report", st)
		}
	})
}

// A commit hook may report, although it runs inside a commit.
func TestReportsInACommitHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			return s.Commit(context.WithValue(ctx, key{}, s), "p")
		})
		r.cfg.Hooks.Before = func(ctx context.Context, _ processor.Commit) error {
			s := ctx.Value(key{}).(*processor.Shard)
			s.ReportPoison(poison)
			s.ReportGap(gap)
			s.ReportProgress(processor.Progress{Items: 1})
			return nil
		}
		r.start().want(shardset.OutcomeComplete)
		if st := r.run.Status(); st.Poison != 1 || st.Gaps != 1 || st.Progress.Items != 1 {
			t.Errorf("the status is %+v, want one poison, one gap and the report", st)
		}
	})
}
