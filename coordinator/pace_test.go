package coordinator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// pauseAfter makes the nth heartbeat fail with err, and returns the pause after it.
func pauseAfter(t *testing.T, nth int, err error) (pause time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 0)
		n := 0
		wire.setFault(func(context.Context, shardset.Heartbeat) error {
			if n++; n == nth {
				return err
			}
			return nil
		})
		w := launch(t, "a", wire, coordinator.Config{})
		time.Sleep(time.Minute)
		times := wire.beatTimes()
		pause = times[nth].Sub(times[nth-1])
		w.end()
	})
	return pause
}

// The service says how long it wants not to be called: the interval bounds that.
func TestHeartbeatHonoursRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: interval} {
		if got := pauseAfter(t, 5, busyError(after)); got != want {
			t.Errorf("asked for %v, the next heartbeat left after %v, want %v", after, got, want)
		}
	}
}

// An evicted member joins again at once.
func TestEvictedMemberRejoinsAtOnce(t *testing.T) {
	if got := pauseAfter(t, 5, heartbeat.ErrEvicted); got != 0 {
		t.Errorf("the next heartbeat left after %v, want at once", got)
	}
}

// Members that fail together do not come back together.
func TestPausesOfMembersDiffer(t *testing.T) {
	pauses := map[time.Duration]bool{}
	for range 10 {
		pauses[pauseAfter(t, 5, errCut)] = true
	}
	if len(pauses) < 5 {
		t.Errorf("ten members paused for %v", pauses)
	}
}
