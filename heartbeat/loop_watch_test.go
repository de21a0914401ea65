package heartbeat_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// pusher is a service that can push.
type pusher struct {
	client
	watch func(ctx context.Context, n int) (<-chan struct{}, error)
	times *[]time.Duration
}

func (p pusher) Watch(ctx context.Context, member string) (<-chan struct{}, error) {
	if member != "m" {
		panic("watch of " + member)
	}
	*p.times = append(*p.times, time.Since(p.r.start))
	return p.watch(ctx, len(*p.times))
}

// pushed returns a rig with a service that pushes, and where it writes down when it
// was asked to.
func pushed(watch func(ctx context.Context, n int) (<-chan struct{}, error)) (*rig, *[]time.Duration) {
	times := new([]time.Duration)
	r := newRig(func(r *rig) heartbeat.Client { return pusher{client{r}, watch, times} })
	r.next = func(time.Time) time.Time { return time.Time{} } // nothing but pushes
	return r, times
}

// open returns a channel that carries a value at each of these times, and is closed
// when ctx ends or at the last of them.
func open(ctx context.Context, breaks time.Duration, at ...time.Duration) <-chan struct{} {
	wake := make(chan struct{}, 1)
	go func() {
		defer close(wake)
		start := time.Now()
		for _, d := range append(at, breaks) {
			select {
			case <-time.After(d - time.Since(start)):
			case <-ctx.Done():
				return
			}
			if d != breaks {
				wake <- struct{}{}
			}
		}
	}()
	return wake
}

func TestPushWakesTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, watches := pushed(func(ctx context.Context, _ int) (<-chan struct{}, error) {
			return open(ctx, time.Hour, 5*time.Second, 7*time.Second), nil
		})
		r.run(t, 10*time.Second)
		times := r.times()
		if n := len(times); n < 2 || times[n-2] != 5002*ms || times[n-1] != 7002*ms {
			t.Errorf("pushed at 5s and 7s, heartbeats left at %v", times)
		}
		if len(*watches) != 1 {
			t.Errorf("Watch was called at %v, want once", *watches)
		}
	})
}

// What changed before the watch stood was told to nobody, so the loop asks.
func TestNewWatchIsFollowedByABeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, watches := pushed(func(ctx context.Context, n int) (<-chan struct{}, error) {
			time.Sleep(100 * ms)
			if n == 1 {
				return open(ctx, 5*time.Second), nil
			}
			return open(ctx, time.Hour), nil
		})
		r.run(t, time.Minute)
		if len(*watches) != 2 {
			t.Fatalf("Watch was called at %v, want twice", *watches)
		}
		r.sent(t, 0, 102*ms, (*watches)[1]+102*ms)
	})
}

// A watch that breaks, or cannot be made, is made again with growing pauses of an
// interval at most.
func TestBrokenWatchIsRenewed(t *testing.T) {
	for name, watch := range map[string]func(context.Context, int) (<-chan struct{}, error){
		"refused": func(context.Context, int) (<-chan struct{}, error) { return nil, errDown },
		"broken":  func(ctx context.Context, _ int) (<-chan struct{}, error) { return open(ctx, 0), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, watches := pushed(watch)
				r.run(t, time.Minute)
				w := *watches
				if len(w) < 30 || len(w) > 70 {
					t.Errorf("Watch was called %d times in a minute with an interval of %v", len(w), interval)
				}
				for i := range len(w) - 1 {
					middle := min(interval/10<<min(i, 10), interval)
					if pause := w[i+1] - w[i]; pause < middle/2 || pause > min(middle*3/2, interval) {
						t.Errorf("pause %d before Watch is %v, want %v to %v", i+1, pause, middle/2, min(middle*3/2, interval))
					}
				}
			})
		})
	}
}

// A watch that worked and broke is made again soon.
func TestWorkingWatchResetsThePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, watches := pushed(func(ctx context.Context, n int) (<-chan struct{}, error) {
			if n < 10 {
				return nil, errDown
			}
			return open(ctx, 2*time.Second, time.Second), nil
		})
		r.run(t, time.Minute)
		w := *watches
		if len(w) < 12 {
			t.Fatalf("Watch was called at %v", w)
		}
		for i := 9; i+1 < len(w); i++ {
			if pause := w[i+1] - w[i] - 2*time.Second; pause < interval/20 || pause > interval*3/20 {
				t.Errorf("a watch that worked was made again after %v, want %v to %v", pause, interval/20, interval*3/20)
			}
		}
	})
}

// Stop by the member ends the watch too.
func TestStopEndsTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := pushed(func(ctx context.Context, _ int) (<-chan struct{}, error) { return open(ctx, time.Hour), nil })
		r.verdict = func(int, error) heartbeat.Verdict { return heartbeat.VerdictStop }
		r.Run(t.Context())
		if took := time.Since(r.start); took > 2*ms { // the new watch may be first
			t.Errorf("Run returned after %v, the member said Stop at its first heartbeat", took)
		}
	})
}
