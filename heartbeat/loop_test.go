package heartbeat_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

const ms = time.Millisecond

// Every test runs in a bubble, which ends only when nothing is left running.

// The interval counts from one heartbeat leaving to the next, however long an answer
// takes.
func TestCadenceCountsFromSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.call = func(ctx context.Context, n int) error { return takes(ctx, time.Duration(n)*100*ms) }
		r.run(t, 7*time.Second)
		r.sent(t, 0, 2*time.Second, 4*time.Second, 6*time.Second)
	})
}

// A member whose next heartbeat was due while an answer was under way sends it at once.
func TestOverdueBeatLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.call = func(ctx context.Context, _ int) error { return takes(ctx, 500*ms) }
		r.next = func(sent time.Time) time.Time { return sent.Add(100 * ms) }
		r.run(t, 1200*ms)
		r.sent(t, 0, 500*ms, 1000*ms)
	})
}

func TestPokesMakeOneBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		for i := range 16 {
			r.at(time.Second+time.Duration(i)*100*time.Microsecond, r.Poke)
		}
		r.run(t, 4*time.Second)
		r.sent(t, 0, 1002*ms, 3002*ms)
	})
}

func TestPokesInFlightMakeOneMoreBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.call = func(ctx context.Context, _ int) error { return takes(ctx, 500*ms) }
		for i := range 5 {
			r.at(time.Duration(100+i)*ms, r.Poke)
		}
		r.run(t, 2400*ms)
		r.sent(t, 0, 502*ms)
	})
}

// A poke before Run is a poke: the first heartbeat says what it was about.
func TestPokeBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.Poke()
		r.run(t, time.Second)
		if n := len(r.times()); n != 1 {
			t.Errorf("%d heartbeats left, want 1", n)
		}
	})
}

func TestWithoutNextBeatOnlyPokesCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.next = func(time.Time) time.Time { return time.Time{} }
		r.at(time.Hour, r.Poke)
		r.run(t, 2*time.Hour)
		r.sent(t, 0, time.Hour+2*ms)
	})
}

// A try that gets no answer is cut, and the next ones go on.
func TestTryIsCutAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.call = func(ctx context.Context, n int) error {
			if n <= 3 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		r.run(t, 6*time.Second)
		if len(r.errs) < 5 {
			t.Fatalf("%d heartbeats left in 6s, want at least 5", len(r.errs))
		}
		for i, err := range r.errs {
			if want := i < 3; errors.Is(err, context.DeadlineExceeded) != want {
				t.Errorf("heartbeat %d: %v, want one cut at its timeout: %v", i+1, err, want)
			}
		}
		for i, pause := range r.pauses()[:3] {
			if pause < tryTimeout+interval/20 || pause > tryTimeout+interval {
				t.Errorf("the try after number %d left %v after it, want its timeout %v and a pause", i+1, pause, tryTimeout)
			}
		}
	})
}

func TestNoMoreRequestsEndTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.enough = 2
		r.Run(t.Context())
		r.sent(t, 0, 2*time.Second)
		if took := time.Since(r.start); took != 4*time.Second {
			t.Errorf("Run returned after %v, the third heartbeat was due after 4s", took)
		}
	})
}

func TestStopReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.verdict = func(n int, _ error) heartbeat.Verdict {
			if n == 3 {
				return heartbeat.VerdictStop
			}
			return heartbeat.VerdictCarry
		}
		r.Run(t.Context())
		r.sent(t, 0, 2*time.Second, 4*time.Second)
		if took := time.Since(r.start); took != 4*time.Second {
			t.Errorf("Run returned after %v, the member said Stop after 4s", took)
		}
	})
}

// The end of the context ends everything at once: a heartbeat in flight, the pause
// after a failure, the wait for the next one, the pause of a poke.
func TestContextEndsRun(t *testing.T) {
	for _, c := range []struct {
		name string
		at   time.Duration
		call func(ctx context.Context, n int) error
		poke time.Duration
	}{
		{"in flight", 300 * ms, func(ctx context.Context, _ int) error { return takes(ctx, time.Hour) }, -1},
		{"pausing", 10 * ms, func(context.Context, int) error { return errDown }, -1},
		{"waiting", time.Second, nil, -1},
		{"poked", 1001 * ms, nil, 1000 * ms},
		{"before", 0, nil, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(nil)
				r.call = c.call
				if c.poke >= 0 {
					r.at(c.poke, r.Poke)
				}
				r.run(t, c.at)
				if n := len(r.times()); n > 1 {
					t.Errorf("%d heartbeats left before %v, want 1 at most", n, c.at)
				}
			})
		})
	}
}
