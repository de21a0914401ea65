package coordinator_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/shardset"
)

// A try that gets no answer is cut, and the next ones go on. One is in flight at a time.
func TestTryIsCutAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tryTimeout = 600 * time.Millisecond
		wire := newWire(t, 1)
		var mu sync.Mutex
		var errs []error
		busy := 0
		wire.setFault(func(ctx context.Context, _ shardset.Heartbeat) error {
			mu.Lock()
			n := len(errs)
			if busy++; busy > 1 {
				t.Error("two heartbeats are in flight")
			}
			mu.Unlock()
			if n < 3 {
				<-ctx.Done()
			}
			mu.Lock()
			defer mu.Unlock()
			busy--
			errs = append(errs, ctx.Err())
			return ctx.Err()
		})
		w := launch(t, "a", wire, coordinator.Config{TryTimeout: tryTimeout})
		time.Sleep(6 * time.Second)
		times := wire.beatTimes()
		w.end()
		if len(errs) < 5 {
			t.Fatalf("%d heartbeats left in 6s, want at least 5", len(errs))
		}
		for i, err := range errs {
			if want := i < 3; errors.Is(err, context.DeadlineExceeded) != want {
				t.Errorf("heartbeat %d: %v, want one cut at its timeout: %v", i+1, err, want)
			}
		}
		for i := range 3 {
			if pause := times[i+1].Sub(times[i]); pause < tryTimeout+interval/20 || pause > tryTimeout+interval {
				t.Errorf("the try after number %d left %v after it, want its timeout %v and a pause", i+1, pause, tryTimeout)
			}
		}
	})
}

// The end of the context ends everything at once: a heartbeat in flight, the pause after a
// failure, the wait for the next one, the pause before news leaves.
func TestContextEndsRun(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    time.Duration
		fault func(ctx context.Context, r shardset.Heartbeat) error
		most  int
	}{
		{"in flight", 300 * time.Millisecond, func(ctx context.Context, _ shardset.Heartbeat) error { <-ctx.Done(); return ctx.Err() }, 1},
		{"pausing", 10 * time.Millisecond, func(context.Context, shardset.Heartbeat) error { return errCut }, 1},
		{"with news", time.Millisecond, nil, 1},
		{"waiting", 150 * time.Millisecond, nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := newWire(t, 0)
				wire.setFault(c.fault)
				w := launch(t, "a", wire, coordinator.Config{})
				time.Sleep(c.at)
				took, err := w.end()
				if err != nil || took > 0 {
					t.Errorf("Run returned %v after %v, want nil at once", err, took)
				}
				if n := len(wire.beatTimes()); n > c.most {
					t.Errorf("%d heartbeats left in %v, want %d at most", n, c.at, c.most)
				}
			})
		})
	}
}

// lost is a service whose group was deleted, and that creates it when it can.
type lost struct {
	*wire
	mu      sync.Mutex
	fails   int // calls of Create that fail
	err     error
	created []time.Time
	held    int // shards of the newest heartbeat
}

func (l *lost) Create(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.created = append(l.created, time.Now())
	if len(l.created) <= l.fails {
		return l.err
	}
	return l.wire.Create(ctx)
}

func (l *lost) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	l.mu.Lock()
	l.held = len(r.Held)
	l.mu.Unlock()
	return l.wire.Beat(ctx, r)
}

// A group that is gone is created, and the member joins it afresh. That is no eviction. A
// creation that fails is tried again with the pauses of heartbeats, or ends Run if no
// repetition mends it.
func TestGroupIsCreated(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails int
		err   error
		final bool
	}{
		{"at once", 0, nil, false},
		{"at the fourth try", 3, errCut, false},
		{"never", 1, denied{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &lost{wire: newWire(t, 2), fails: c.fails, err: c.err}
				w := launch(t, "a", l, coordinator.Config{CreateGroup: true})
				time.Sleep(5 * time.Second)
				l.Delete()
				time.Sleep(10 * time.Second)
				if c.final {
					<-w.done
					if !errors.Is(w.err, c.err) || len(l.created) != 1 {
						t.Errorf("Run returned %v after %d calls of Create, want %v after one", w.err, len(l.created), c.err)
					}
					return
				}
				s := w.Status()
				if n := len(w.running()); n != 2 || len(l.created) != c.fails+1 || l.held != 2 {
					t.Errorf("after %d calls of Create %d shards run and %d are reported, want %d calls and 2 shards", len(l.created), n, l.held, c.fails+1)
				}
				if s.Counters.Evictions != 0 || s.Counters.LeasesLost != 1 || s.Counters.HeartbeatsFailed != int64(c.fails+1) {
					t.Errorf("counted %v, want one lost lease, no eviction and %d failures", s.Counters, c.fails+1)
				}
				left := 0 // heartbeats at the instant of the creation: the clock of the bubble stands while a member works
				for _, at := range l.beatTimes() {
					if at.Equal(l.created[len(l.created)-1]) {
						left++
					}
				}
				if left < 2 {
					t.Errorf("%d heartbeats left at once, want the one that missed the group and the one that joins it", left)
				}
				for i := 1; i < len(l.created); i++ {
					if pause := l.created[i].Sub(l.created[i-1]); pause < interval/20 || pause > interval {
						t.Errorf("%v between two calls of Create", pause)
					}
				}
				w.end()
			})
		})
	}
}
