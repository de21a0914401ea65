package runner_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A goroutine that outlives its Process does not change the next attempt, and causes no
// event after the end. The rig checks that done comes last.
func TestReportAfterReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handles []*processor.Shard
		r := newRig(t, func(_ context.Context, s *processor.Shard) error {
			if handles = append(handles, s); len(handles) == 1 {
				return errFlaky
			}
			s.ReportProgress(processor.Progress{Items: 1})
			<-s.Revoked()
			return nil
		})
		poisoned, skipped := watchReports(r)
		say := func(s *processor.Shard) {
			s.ReportProgress(processor.Progress{Items: 99})
			s.ReportPoison(poison)
			s.ReportGap(gap)
		}
		check := func(when string) {
			t.Helper()
			if st := r.run.Status(); st.Progress.Items == 99 || st.Poison != 0 || st.Gaps != 0 {
				t.Errorf("%s: a handle whose Process had returned changed the status to %+v", when, st)
			}
			if poisoned() != 0 || skipped() != 0 {
				t.Errorf("%s: the observer was told of %d poison and %d gaps", when, poisoned(), skipped())
			}
		}
		r.start()
		say(handles[0])
		check("in the pause")
		time.Sleep(time.Minute)
		synctest.Wait()
		say(handles[0])
		check("in the next attempt")
		if got := r.run.Status().Progress.Items; got != 1 {
			t.Errorf("the status says %d items, want what the present attempt said", got)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.want(shardset.OutcomeReleased)
		say(handles[1])
		check("after done")
	})
}

// A report that is in flight when Process returns ends before done is called.
func TestDoneWaitsForATellingInFlight(t *testing.T) {
	for name, say := range map[string]func(*processor.Shard){
		"poisoned": func(s *processor.Shard) { s.ReportPoison(poison) },
		"skipped":  func(s *processor.Shard) { s.ReportGap(gap) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(_ context.Context, s *processor.Shard) error {
					go say(s)
					time.Sleep(time.Nanosecond) // it is with the observer
					return nil
				})
				r.reports.Poisoned = func(shardset.Lease, processor.Poison) { time.Sleep(time.Second); r.event("told") }
				r.reports.Skipped = func(shardset.Lease, processor.Gap) { time.Sleep(time.Second); r.event("told") }
				r.start().want(shardset.OutcomeComplete)
				r.wantEvents("load", `started "" false`, "told", "done complete")
			})
		})
	}
}

// Many goroutines at once, some of which outlive Process, for the race detector.
func TestReportsRace(t *testing.T) {
	const talkers, each = 8, 500
	var mu sync.Mutex
	var told, over int
	count := func() {
		mu.Lock()
		defer mu.Unlock()
		told++
		if over > 0 {
			t.Error("told after done")
		}
	}
	var all sync.WaitGroup
	work := processor.Func(func(_ context.Context, s *processor.Shard) error {
		for range talkers {
			all.Go(func() {
				for i := range each {
					s.ReportProgress(processor.Progress{Items: int64(i)})
					s.ReportPoison(poison)
					s.ReportGap(gap)
				}
			})
		}
		time.Sleep(time.Millisecond) // not all of them are through
		return nil
	})
	rn := runner.New(runner.Config{
		Factory: processor.FromFunc(work), Checkpoints: processor.NewMemoryCheckpoints(),
		Report: (&reports{
			Poisoned: func(shardset.Lease, processor.Poison) { count() },
			Skipped:  func(shardset.Lease, processor.Gap) { count() },
		}).report,
	})
	run := rn.New(t.Context(), shardset.Lease{Epoch: 1}, 1, runner.NewMemberLease(time.Now().Add(time.Hour)))
	var last runner.Status
	run.Do(func(shardset.Outcome) {
		last = run.Status()
		mu.Lock()
		defer mu.Unlock()
		over = told
	})
	all.Wait()
	if st := run.Status(); st != last {
		t.Errorf("the status changed after done, from %+v to %+v", last, st)
	}
	if over != last.Poison+last.Gaps {
		t.Errorf("told of %d, counted %d and %d", over, last.Poison, last.Gaps)
	}
}
