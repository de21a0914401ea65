package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// pauses collects the pauses of failed attempts, in addition to the events of the rig.
func pauses(r *rig) *[]time.Duration {
	var all []time.Duration
	failed := r.reports.Failed
	r.reports.Failed = func(l shardset.Lease, err error, pause time.Duration) {
		all = append(all, pause)
		failed(l, err, pause)
	}
	return &all
}

// within reports whether a pause is the scheduled one, give or take half of it.
func within(t *testing.T, n int, got, want time.Duration) {
	t.Helper()
	if got < want/2 || got > want+want/2+1 {
		t.Errorf("pause %d is %v, want %v more or less by half", n, got, want)
	}
}

// The pauses double from Min to Max, with jitter, and the run waits for as long as it
// reports.
func TestPausesGrowUpToMax(t *testing.T) {
	var first []time.Duration
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			var starts []time.Time
			r := newRig(t, func(context.Context, *processor.Shard) error {
				if starts = append(starts, time.Now()); len(starts) == 8 {
					return nil
				}
				return errFlaky
			})
			told := pauses(r)
			r.start().want(shardset.OutcomeComplete)
			if len(*told) != 7 {
				t.Fatalf("%d pauses, want 7: %v", len(*told), *told)
			}
			for i, pause := range *told {
				within(t, i+1, pause, min(time.Second<<i, 8*time.Second))
				if passed := starts[i+1].Sub(starts[i]); passed != pause {
					t.Errorf("restart %d came after %v, announced was %v", i+1, passed, pause)
				}
			}
			first = append(first, (*told)[0])
		})
	}
	for _, p := range first {
		if p != first[0] {
			return
		}
	}
	t.Errorf("20 runs all paused for %v: there is no jitter", first[0])
}

// A run that worked longer than the longest pause has recovered.
func TestPausesStartOverAfterAGoodRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, func(context.Context, *processor.Shard) error {
			switch calls++; calls {
			case 4:
				time.Sleep(8 * time.Second) // not longer
			case 5:
				time.Sleep(8*time.Second + 1)
			case 6:
				return nil
			}
			return errFlaky
		})
		told := pauses(r)
		r.start().want(shardset.OutcomeComplete)
		for i, want := range []time.Duration{1, 2, 4, 8, 1} {
			within(t, i+1, (*told)[i], want*time.Second)
		}
	})
}

// A load that hangs until the timeout does not count as time that the run worked.
func TestHangingLoadIsNotAGoodRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loads := 0
		r := newRig(t, func(context.Context, *processor.Shard) error { return nil })
		r.cfg.CommitTimeout = 9 * time.Second // longer than the longest pause
		r.store.load = func(ctx context.Context, _ processor.Owner) error {
			if loads++; loads == 5 {
				return nil
			}
			return hang(ctx)
		}
		told := pauses(r)
		from := time.Now()
		r.start().want(shardset.OutcomeComplete)
		slept := time.Duration(0)
		for i, want := range []time.Duration{1, 2, 4, 8} {
			within(t, i+1, (*told)[i], want*time.Second)
			slept += (*told)[i]
		}
		if took, want := time.Since(from), slept+4*r.cfg.CommitTimeout; took != want {
			t.Errorf("four hanging loads took %v, want %v: each ends after CommitTimeout", took, want)
		}
	})
}

// Every way to fail before Process leads to another attempt, like one in Process.
func TestFailedStartIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		load  error
		fault func() (processor.Processor, error)
		want  error
		text  string
	}{
		{name: "load", load: errFlaky, want: errFlaky, text: "read the checkpoint of shard orders/7: flaky"},
		{name: "factory", fault: func() (processor.Processor, error) { return nil, errFlaky },
			want: errFlaky, text: "make the processor of shard orders/7: flaky"},
		{name: "no processor", fault: func() (processor.Processor, error) { return nil, nil },
			want: runner.ErrNoProcessor, text: "make the processor of shard orders/7: factory returned no processor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				r := newRig(t, nil)
				r.store.load = func(context.Context, processor.Owner) error {
					if calls++; calls == 1 {
						return c.load
					}
					return nil
				}
				r.cfg.Factory = func(context.Context, shardset.Lease) (processor.Processor, error) {
					if calls == 1 {
						return c.fault()
					}
					return processor.Func(func(context.Context, *processor.Shard) error { return nil }), nil
				}
				told := pauses(r)
				r.start().want(shardset.OutcomeComplete)
				if len(*told) != 1 {
					t.Fatalf("%d pauses, want 1: %v", len(*told), *told)
				}
				within(t, 1, (*told)[0], time.Second)
				if got := r.run.Status().LastError; !errors.Is(got, c.want) || got.Error() != c.text {
					t.Errorf("last error %q, want %q", got, c.text)
				}
			})
		})
	}
}

// Goroutines that an attempt leaves behind can do nothing: its Shard refuses to commit, and
// its context ends. A Process that panics cannot stop the goroutines that it started.
func TestOldAttemptIsDead(t *testing.T) {
	for _, end := range []string{"error", "panic"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				old := make(chan error, 1)
				r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
					if calls++; calls == 2 {
						<-s.Revoked()
						return nil
					}
					go func() {
						<-ctx.Done()
						if got := context.Cause(ctx); got != processor.ErrReturned {
							t.Errorf("cause of the context after Process returned: %v, want %v", got, processor.ErrReturned)
						}
						if got := s.Check(); got != processor.ErrReturned {
							t.Errorf("Check after Process returned: %v, want %v", got, processor.ErrReturned)
						}
						old <- s.Commit(context.Background(), "stale")
					}()
					if end == "panic" {
						panic("out")
					}
					return errFlaky
				})
				r.start()
				time.Sleep(10 * time.Second) // the second attempt is at work
				select {
				case err := <-old:
					if !errors.Is(err, processor.ErrReturned) {
						t.Errorf("Commit from an old attempt: %v, want %v", err, processor.ErrReturned)
					}
				default:
					t.Error("the context of an attempt did not end with it")
				}
				r.run.Revoke(processor.ErrShutdown)
				r.want(shardset.OutcomeReleased)
				if got := r.store.positions(); len(got) != 0 {
					t.Errorf("saved %q, want nothing", got)
				}
			})
		})
	}
}

// After the run, too: the member may hold its other shards for long.
func TestHandleIsDeadAfterTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left *processor.Shard
		r := newRig(t, func(_ context.Context, s *processor.Shard) error { left = s; return nil })
		r.start().want(shardset.OutcomeComplete)
		select {
		case <-left.Revoked():
		default:
			t.Error("Revoked is open after the run")
		}
		for name, got := range map[string]error{
			"Check": left.Check(), "Cause": left.Cause(), "Commit": left.Commit(t.Context(), "x"),
		} {
			if !errors.Is(got, processor.ErrReturned) {
				t.Errorf("%s after the run: %v, want %v", name, got, processor.ErrReturned)
			}
		}
		if err := left.Commit(t.Context(), "x"); !strings.Contains(fmt.Sprint(err), "orders/7") {
			t.Errorf("error of a commit after the run: %v, want one that names the shard", err)
		}
	})
}
