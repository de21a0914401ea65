package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// A service that does not answer the leave call costs one try, not the drain timeout.
func TestAnUnreachableServiceDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 2)
		w := launch(t, "a", hangingLeave{wire}, coordinator.Config{})
		time.Sleep(time.Second)
		took, err := w.end()
		if err != nil || took > interval/3+slack {
			t.Errorf("Run returned %v after %v, want nil after one try of %v at most", err, took, interval/3)
		}
	})
}

type hangingLeave struct{ *wire }

func (hangingLeave) Leave(ctx context.Context, _ shardset.Heartbeat) error {
	<-ctx.Done()
	return ctx.Err()
}

// A leave call that fails is made again as long as one that hangs would take; one that no
// repetition mends is not.
func TestLeaveIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		fails int32 // of the calls
		want  int32 // calls at least
		most  int32
	}{
		{"at first", errors.New("no leader"), 3, 4, 4},
		{"for ever", errors.New("no leader"), math.MaxInt32, 3, 12},
		{"finally", heartbeat.ErrUnauthorized, math.MaxInt32, 1, 1},
		{"with nothing to leave", heartbeat.ErrEvicted, math.MaxInt32, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &failingLeave{wire: newWire(t, 2), err: c.err, fails: c.fails}
			w := launch(t, "a", l, coordinator.Config{})
			time.Sleep(time.Second)
			took, err := w.end()
			if err != nil || took > interval/3+slack {
				t.Errorf("%s: Run returned %v after %v, want nil after %v at most", c.name, err, took, interval/3)
			}
			if n := l.calls.Load(); n < c.want || n > c.most {
				t.Errorf("%s: there were %d leave calls, want %d to %d", c.name, n, c.want, c.most)
			}
		})
	}
}

type failingLeave struct {
	*wire
	err   error
	fails int32
	calls atomic.Int32
	seq   uint64
}

func (l *failingLeave) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if r.Seq <= l.seq {
		return heartbeat.ErrStaleHeartbeat
	}
	l.seq = r.Seq
	if l.calls.Add(1) <= l.fails {
		return l.err
	}
	return l.wire.Leave(ctx, r)
}

// busyError is the error of a service that wants to be left alone for a while.
type busyError time.Duration

func (e busyError) Error() string             { return "the service is busy" }
func (e busyError) RetryAfter() time.Duration { return time.Duration(e) }

// A service that says how long it wants to be left alone is asked to let the member leave
// after that, and not before; if it wants more than the time there is, it is not asked again.
func TestLeaveHonoursRetryAfter(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		calls int32
		took  time.Duration // at least
	}{
		{300 * time.Millisecond, 3, 600 * time.Millisecond},
		{time.Hour, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &failingLeave{wire: newWire(t, 1), err: fmt.Errorf("leave: %w", busyError(c.after)), fails: 2}
			w := launch(t, "a", l, coordinator.Config{})
			time.Sleep(time.Second)
			begin := time.Now()
			w.stop()
			<-w.done
			took := time.Since(begin)
			if n := l.calls.Load(); n != c.calls || took < c.took || took > c.took+500*time.Millisecond {
				t.Errorf("with %v there were %d calls in %v, want %d in %v", c.after, n, took, c.calls, c.took)
			}
		})
	}
}
