package coordinator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
)

// slowLoads is a store whose loads take a second. It counts those under way.
type slowLoads struct {
	processor.Checkpoints
	under chan struct{}
	most  chan int // holds the largest number so far
}

func newSlowLoads(c processor.Checkpoints) *slowLoads {
	s := &slowLoads{Checkpoints: c, under: make(chan struct{}, 1000), most: make(chan int, 1)}
	s.most <- 0
	return s
}

func (s *slowLoads) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	s.under <- struct{}{}
	defer func() { <-s.under }()
	s.most <- max(<-s.most, len(s.under))
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
	return s.Checkpoints.Load(ctx, o)
}

// A worker that is granted many shards at once loads a few checkpoints at a time.
// Heartbeats do not wait for loads, and all shards start.
func TestLoadsAreBounded(t *testing.T) {
	for _, tc := range []struct{ loads, most, seconds int }{
		{0, 16, 7}, {3, 3, 34}, {200, 100, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			wire := newWire(t, 100)
			store := newSlowLoads(wire)
			w := launch(t, "a", wire, coordinator.Config{Checkpoints: store, Loads: tc.loads})
			time.Sleep(time.Duration(tc.seconds)*time.Second - time.Second/2)
			synctest.Wait()
			if n := len(w.running()); tc.seconds > 1 && n == 100 {
				t.Errorf("Loads %d: all shards run before %d s", tc.loads, tc.seconds)
			}
			time.Sleep(time.Second)
			if n := len(w.running()); n != 100 {
				t.Errorf("Loads %d: %d shards run after %d s, want 100", tc.loads, n, tc.seconds)
			}
			if most := <-store.most; most != tc.most {
				t.Errorf("Loads %d: %d loads at a time, want %d", tc.loads, most, tc.most)
			}
			times := wire.beatTimes()
			for i := 1; i < len(times); i++ {
				if gap := times[i].Sub(times[i-1]); gap > interval+interval/10 {
					t.Errorf("Loads %d: %v between two heartbeats", tc.loads, gap)
				}
			}
			w.end()
		})
	}
}

// A shard that is revoked while it waits for its turn is released at once: it was never
// loaded, so it has nothing to finish.
func TestRevokedBeforeItsLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 10)
		w := launch(t, "a", wire, coordinator.Config{Checkpoints: newSlowLoads(wire), Loads: 1})
		time.Sleep(time.Second / 2)
		if took, err := w.end(); took > time.Second || err != nil {
			t.Errorf("the stop took %v, %v", took, err)
		}
		if n := len(w.heard("started")); n > 1 {
			t.Errorf("%d shards were started, want at most the one that was loading", n)
		}
	})
}
