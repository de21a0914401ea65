package coordinator_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// slack is how much later than its drain timeout Run may return.
const slack = 100 * time.Millisecond

func TestRunReturnsAtOnceWithIdleProcessors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := launch(t, "a", newWire(t, 16), coordinator.Config{})
		time.Sleep(10 * time.Second)
		if got := len(w.running()); got != 16 {
			t.Fatalf("%d shards run, want 16", got)
		}
		took, err := w.end()
		if err != nil || took > slack {
			t.Errorf("Run returned %v after %v, want nil at once", err, took)
		}
		for _, e := range w.heard("draining") {
			if e.Err != processor.ErrShutdown {
				t.Errorf("%s drained because of %v, want ErrShutdown", e.ID, e.Err)
			}
		}
		if s := w.Status(); s.State != coordinator.StateStopped || len(s.Shards) != 0 {
			t.Errorf("afterwards it is %s with %d shards", s.State, len(s.Shards))
		}
	})
}

// A shutdown, or the loss of everything, meets a coordinator in each of its states.
func TestShutdownInEveryState(t *testing.T) {
	hang := func(ctx context.Context) { <-ctx.Done() }
	stuck := func(release <-chan struct{}) processor.Func {
		return func(context.Context, *processor.Shard) error { <-release; return nil }
	}
	for _, tc := range []struct {
		name  string
		after time.Duration // when the worker is stopped
		setup func(t *testing.T, w *wire, cfg *coordinator.Config, release <-chan struct{})
		stuck int // processors that Run has to leave behind
	}{
		{"before the first answer", time.Millisecond, func(_ *testing.T, w *wire, _ *coordinator.Config, _ <-chan struct{}) {
			w.setFault(func(ctx context.Context, _ shardset.Heartbeat) error { hang(ctx); return ctx.Err() })
		}, 0},
		{"heartbeats fail", 20 * time.Second, func(_ *testing.T, w *wire, _ *coordinator.Config, _ <-chan struct{}) {
			w.setCut(true)
		}, 0},
		{"reading the checkpoint", time.Second, func(_ *testing.T, w *wire, cfg *coordinator.Config, _ <-chan struct{}) {
			cfg.Checkpoints = hangingStore{}
		}, 0},
		{"in the factory", time.Second, func(_ *testing.T, _ *wire, cfg *coordinator.Config, _ <-chan struct{}) {
			cfg.Processor = func(ctx context.Context, _ shardset.Lease) (processor.Processor, error) {
				hang(ctx)
				return nil, ctx.Err()
			}
		}, 0},
		{"pausing after a failure", time.Second, func(_ *testing.T, _ *wire, cfg *coordinator.Config, _ <-chan struct{}) {
			cfg.Restart = processor.Backoff{Min: time.Minute, Max: time.Minute}
			cfg.Processor = processor.FromFunc(func(context.Context, *processor.Shard) error { return errors.New("no") })
		}, 0},
		{"done by itself", time.Second, func(_ *testing.T, _ *wire, cfg *coordinator.Config, _ <-chan struct{}) {
			cfg.Processor = processor.FromFunc(func(context.Context, *processor.Shard) error { return nil })
		}, 0},
		{"processors ignore Revoked", time.Second, func(_ *testing.T, _ *wire, cfg *coordinator.Config, _ <-chan struct{}) {
			cfg.Processor = processor.FromFunc(func(ctx context.Context, _ *processor.Shard) error { hang(ctx); return nil })
		}, 0},
		{"processors ignore everything", time.Second, func(_ *testing.T, _ *wire, cfg *coordinator.Config, release <-chan struct{}) {
			cfg.Processor = processor.FromFunc(stuck(release))
		}, 4},
		{"stuck and the lease already lost", 30 * time.Second, func(_ *testing.T, w *wire, cfg *coordinator.Config, release <-chan struct{}) {
			cfg.Processor = processor.FromFunc(stuck(release))
			time.AfterFunc(time.Second, func() { w.setCut(true) })
		}, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				w := newWire(t, 4)
				cfg := coordinator.Config{DrainTimeout: 3 * time.Second}
				tc.setup(t, w, &cfg, release)
				worker := launch(t, "a", w, cfg)
				time.Sleep(tc.after)
				took, err := worker.end()
				if took > cfg.DrainTimeout+slack {
					t.Errorf("Run took %v to return, want at most %v", took, cfg.DrainTimeout+slack)
				}
				var drain *coordinator.DrainError
				if errors.As(err, &drain) != (tc.stuck > 0) {
					t.Fatalf("Run returned %v, want a DrainError: %v", err, tc.stuck > 0)
				}
				if tc.stuck > 0 && len(drain.Shards) != tc.stuck {
					t.Errorf("the error names %v, want %d shards", drain.Shards, tc.stuck)
				}
				if tc.stuck == 0 && err != nil {
					t.Errorf("Run returned %v, want nil", err)
				}
				close(release)
			})
		})
	}
}

// hangingStore honours its context and nothing else.
type hangingStore struct{}

func (hangingStore) Load(ctx context.Context, _ processor.Owner) (processor.Position, bool, error) {
	<-ctx.Done()
	return "", false, ctx.Err()
}

func (hangingStore) Save(ctx context.Context, _ processor.Owner, _ processor.Position) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestTwoPhaseShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type stop struct {
			revoked, cancelled time.Time
			soft, hard         error
			commit             error
		}
		got := make(chan stop, 1)
		cfg := coordinator.Config{DrainTimeout: 10 * time.Second}
		cfg.Processor = processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			var st stop
			<-s.Revoked()
			st.revoked, st.soft = time.Now(), s.Cause()
			st.commit = s.Commit(ctx, "1")
			<-ctx.Done()
			st.cancelled, st.hard = time.Now(), context.Cause(ctx)
			got <- st
			return nil
		})
		wire := newWire(t, 1)
		w := launch(t, "a", wire, cfg)
		time.Sleep(time.Second)
		begin := time.Now()
		if _, err := w.end(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		st := <-got
		if !st.revoked.Equal(begin) || st.soft != processor.ErrShutdown {
			t.Errorf("revoked %v after the stop because of %v, want at once because of ErrShutdown", st.revoked.Sub(begin), st.soft)
		}
		if st.commit != nil {
			t.Errorf("the commit while draining failed: %v", st.commit)
		}
		if d := st.cancelled.Sub(begin); d != cfg.DrainTimeout || st.hard != processor.ErrShutdown {
			t.Errorf("cancelled after %v because of %v, want %v and ErrShutdown", d, st.hard, cfg.DrainTimeout)
		}
		// Ten seconds of draining are longer than the lease: without heartbeats
		// meanwhile the shard would have been lost.
		if n := w.Status().Counters.LeasesLost; n != 0 {
			t.Errorf("the lease was lost %d times while draining", n)
		}
	})
}

func TestRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := launch(t, "a", newWire(t, 1), coordinator.Config{})
		synctest.Wait()
		if err := w.Run(t.Context()); !errors.Is(err, coordinator.ErrRunTwice) {
			t.Errorf("a second Run beside the first returned %v, want ErrRunTwice", err)
		}
		w.end()
		if err := w.Run(t.Context()); !errors.Is(err, coordinator.ErrRunTwice) {
			t.Errorf("a second Run after the first returned %v, want ErrRunTwice", err)
		}
	})
}

func TestRunWithAnEndedContextDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 1)
		c, err := coordinator.New(coordinator.Config{Group: wire, Processor: processor.FromFunc(idle)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run returned %v, want nil", err)
		}
		if n := len(wire.beatTimes()); n != 0 {
			t.Errorf("%d heartbeats were sent, want none", n)
		}
	})
}

// Run names a client that ignores its context, and returns.
func TestClientIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		wire := newWire(t, 1)
		wire.setFault(func(context.Context, shardset.Heartbeat) error { <-release; return errCut })
		w := launch(t, "a", wire, coordinator.Config{DrainTimeout: time.Second})
		time.Sleep(time.Minute)
		took, err := w.end()
		var drain *coordinator.DrainError
		if !errors.As(err, &drain) || len(drain.Parts) != 1 || drain.Parts[0] != "heartbeat" {
			t.Errorf("Run returned %v, want a DrainError that names the heartbeat", err)
		}
		if took > time.Second+slack {
			t.Errorf("Run took %v to return", took)
		}
		close(release)
	})
}
