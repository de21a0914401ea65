package heartbeat_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// The pauses after failures double, are random by half, never exceed the interval, and
// leave room for several tries in a lease of three intervals.
func TestFailurePausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		distinct := map[time.Duration]bool{}
		for range 50 {
			r := newRig(nil)
			r.call = func(context.Context, int) error { return errDown }
			r.run(t, 30*time.Second)
			middle := interval / 10
			for i, pause := range r.pauses() {
				if low, high := middle/2, min(middle*3/2, interval); pause < low || pause > high {
					t.Fatalf("pause %d is %v, want %v to %v; all are %v", i+1, pause, low, high, r.pauses())
				}
				middle = min(2*middle, interval)
				distinct[pause] = true
			}
			tries := 0
			for _, at := range r.times() {
				if at < 3*interval {
					tries++
				}
			}
			if tries < 4 {
				t.Errorf("%d tries in the first %v, want 4 at least: %v", tries, 3*interval, r.times())
			}
		}
		if len(distinct) < 100 {
			t.Errorf("50 runs had only %d different pauses", len(distinct))
		}
	})
}

// After a success the pauses start over.
func TestSuccessResetsThePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.call = func(_ context.Context, n int) error {
			if n%8 == 0 {
				return nil
			}
			return errDown
		}
		r.run(t, time.Minute)
		pauses := r.pauses()
		for i := 7; i+1 < len(pauses); i += 8 {
			if pauses[i] != interval {
				t.Errorf("after the success of heartbeat %d the next one left after %v, want %v", i+1, pauses[i], interval)
			}
			if first := pauses[i+1]; first > interval*3/20 {
				t.Errorf("after a success the first pause is %v, want %v at most", first, interval*3/20)
			}
		}
		if len(pauses) < 16 {
			t.Errorf("%d heartbeats left, want more than 16", len(pauses)+1)
		}
	})
}

// A service that is down is not asked sooner because shards come and go.
func TestPokeDoesNotCutAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.call = func(_ context.Context, n int) error {
			if n == 1 {
				return errDown
			}
			return nil
		}
		for i := range 90 {
			r.at(time.Duration(i+1)*ms, r.Poke)
		}
		r.run(t, time.Second)
		times := r.times()
		if len(times) != 2 || times[1] < interval/20 || times[1] > interval*3/20 {
			t.Errorf("heartbeats left at %v, want the second one after a pause of %v to %v and no third", times, interval/20, interval*3/20)
		}
	})
}

// A refused member rejoins at once, and from then on with pauses, until it is in.
func TestRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.verdict = func(n int, _ error) heartbeat.Verdict {
			switch n {
			case 1, 2, 3, 5, 6:
				return heartbeat.VerdictRejoin
			}
			return heartbeat.VerdictCarry
		}
		r.run(t, 5*time.Second)
		p := r.pauses()
		if len(p) < 6 {
			t.Fatalf("%d heartbeats left, want 7 at least", len(p)+1)
		}
		paused := func(d time.Duration, k int) bool {
			middle := interval / 10 * time.Duration(k)
			return d >= middle/2 && d <= middle*3/2
		}
		if p[0] != 0 || !paused(p[1], 1) || !paused(p[2], 2) || p[3] != interval || p[4] != 0 || !paused(p[5], 4) {
			t.Errorf("refused five times, the heartbeats left after %v; want at once, a pause, twice that, the interval, at once, a pause twice as long again", p)
		}
	})
}

// A service that takes every join and refuses the heartbeat after it, like two nodes
// behind one address that do not know each other, is not asked at wire speed.
func TestRejoinForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.verdict = func(n int, _ error) heartbeat.Verdict {
			if n%2 == 0 {
				return heartbeat.VerdictRejoin
			}
			r.Poke() // the join gave it something to say
			return heartbeat.VerdictCarry
		}
		r.run(t, time.Minute)
		if n := len(r.times()); n > 150 {
			t.Errorf("%d heartbeats left in a minute, want some in an interval", n)
		}
	})
}

// busyError is a service that wants to be left alone.
type busyError time.Duration

func (e busyError) Error() string             { return fmt.Sprintf("busy, come back in %v", time.Duration(e)) }
func (e busyError) RetryAfter() time.Duration { return time.Duration(e) }

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		err      error
		low, top time.Duration
	}{
		{busyError(time.Second), time.Second, time.Second},
		{fmt.Errorf("wrapped: %w", busyError(1500*ms)), 1500 * ms, 1500 * ms},
		{busyError(time.Hour), interval, interval},
		{busyError(-time.Hour), interval / 20, interval * 3 / 20},
		{busyError(0), interval / 20, interval * 3 / 20},
		{errors.Join(errDown, busyError(time.Second)), time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(nil)
			r.call = func(_ context.Context, n int) error {
				if n == 1 {
					return c.err
				}
				return nil
			}
			r.run(t, 3*time.Second)
			if p := r.pauses(); len(p) == 0 || p[0] < c.low || p[0] > c.top {
				t.Errorf("after %q the next heartbeat left after %v, want %v to %v", c.err, p, c.low, c.top)
			}
		})
	}
}

// A pace that is set while the Loop runs holds for the next try, and for its pauses.
func TestPaceChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(nil)
		r.call = func(ctx context.Context, n int) error {
			if n == 1 {
				return nil
			}
			return takes(ctx, time.Hour)
		}
		r.at(time.Second, func() { r.SetPace(200*time.Millisecond, 70*time.Millisecond) })
		r.run(t, 10*time.Second)
		times := r.times()
		if len(times) < 25 {
			t.Fatalf("heartbeats left at %v, want more than 25", times)
		}
		for i, pause := range r.pauses()[1:] {
			if pause < 80*time.Millisecond || pause > 270*time.Millisecond {
				t.Errorf("pause %d is %v, want 80ms to 270ms with 70ms for a try", i+2, pause)
			}
		}
	})
}
