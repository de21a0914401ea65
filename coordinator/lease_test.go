package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Heartbeats fail from some moment on: the contexts are cancelled before the group
// may give the shards away, whether calls fail at once or hang.
func TestFailingHeartbeatsCancelBeforeTheTTL(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(ctx context.Context, r shardset.Heartbeat) error
	}{
		{"refused", func(context.Context, shardset.Heartbeat) error { return errCut }},
		{"hanging", func(ctx context.Context, _ shardset.Heartbeat) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cancelled := make(chan time.Time, 4)
				cfg := coordinator.Config{Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
					<-ctx.Done()
					if cause := context.Cause(ctx); cause != processor.ErrLeaseLost {
						t.Errorf("shard %s was cancelled because of %v, want ErrLeaseLost", s.ID(), cause)
					}
					if err := s.Commit(context.Background(), "1"); !errors.Is(err, processor.ErrLeaseLost) {
						t.Errorf("a commit after the loss returned %v, want ErrLeaseLost", err)
					}
					cancelled <- time.Now()
					return nil
				})}
				wire := newWire(t, 4)
				w := launch(t, "a", wire, cfg)
				time.Sleep(9 * time.Second)
				wire.setFault(tc.fault)
				last := w.Status().LastHeartbeat
				for range 4 {
					at := <-cancelled
					if !at.Before(last.Add(ttl)) {
						t.Errorf("cancelled %v after the last good heartbeat, the group gives away at %v", at.Sub(last), ttl)
					}
				}
				if n := len(wire.beatTimes()); n < 6 {
					t.Errorf("%d heartbeats were tried in all, want several in the last lease", n)
				}
				w.end()
				for _, e := range w.heard("stopped") {
					if e.Outcome != shardset.OutcomeLost {
						t.Errorf("shard %s stopped as %v, want lost", e.ID, e.Outcome)
					}
				}
				if n := len(w.heard("stopped")); n != 4 {
					t.Errorf("%d shards stopped, want 4", n)
				}
			})
		})
	}
}

// One heartbeat in three may fail without any effect.
func TestALostHeartbeatCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 4)
		var mu sync.Mutex
		n := 0
		wire.setFault(func(ctx context.Context, _ shardset.Heartbeat) error {
			mu.Lock()
			n++
			lost := n%3 == 0
			mu.Unlock()
			if !lost {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		w := launch(t, "a", wire, coordinator.Config{})
		time.Sleep(10 * time.Minute)
		s := w.Status()
		if s.Counters.LeasesLost != 0 || s.Counters.Assigned != 4 {
			t.Errorf("%d leases were lost and %d grants taken, want 0 and 4", s.Counters.LeasesLost, s.Counters.Assigned)
		}
		if s.Counters.HeartbeatsFailed < 50 {
			t.Errorf("only %d heartbeats failed: the test did nothing", s.Counters.HeartbeatsFailed)
		}
		w.end()
	})
}

// After the line is back everything is taken afresh, by a new instance, from the
// last commit.
func TestRejoinAfterALostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resumed := make(chan processor.Position, 8)
		cfg := coordinator.Config{Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			p, _ := s.Resume()
			resumed <- p
			if err := s.Commit(ctx, p+"x"); err != nil {
				return err
			}
			<-s.Revoked()
			return nil
		})}
		wire := newWire(t, 1)
		w := launch(t, "a", wire, cfg)
		time.Sleep(time.Second)
		before := w.Status()
		wire.setCut(true)
		time.Sleep(10 * time.Second)
		if s := w.Status(); s.State != coordinator.StateJoining || len(s.Shards) != 0 {
			t.Errorf("without a lease it is %s with %d shards", s.State, len(s.Shards))
		}
		wire.setCut(false)
		time.Sleep(5 * time.Second)
		after := w.Status()
		if len(w.running()) != 1 || after.Instance <= before.Instance {
			t.Errorf("runs %v as instance %d, before %d", w.running(), after.Instance, before.Instance)
		}
		if after.Shards[0].Epoch <= before.Shards[0].Epoch {
			t.Errorf("epoch %d after epoch %d", after.Shards[0].Epoch, before.Shards[0].Epoch)
		}
		if first, second := <-resumed, <-resumed; first != "" || second != "x" {
			t.Errorf("resumed from %q and %q, want the beginning and x", first, second)
		}
		w.end()
	})
}

// A slow answer extends the lease from when the request left.
func TestLeaseCountsFromSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 1)
		const delay = 600 * time.Millisecond
		wire.setFault(func(context.Context, shardset.Heartbeat) error { time.Sleep(delay); return nil })
		w := launch(t, "a", wire, coordinator.Config{})
		time.Sleep(20 * time.Second)
		s := w.Status()
		if want := s.LastHeartbeat.Add(ttl - shardset.Margin(ttl)); !s.LeaseUntil.Equal(want) {
			t.Errorf("the lease ends %v after the heartbeat left, want %v", s.LeaseUntil.Sub(s.LastHeartbeat), want.Sub(s.LastHeartbeat))
		}
		sent := wire.beatTimes()
		if !s.LastHeartbeat.Equal(sent[len(sent)-1]) && !s.LastHeartbeat.Equal(sent[len(sent)-2]) {
			t.Errorf("the last heartbeat is said to have left at %v, which is none of %v", s.LastHeartbeat, sent)
		}
		w.end()
	})
}

func TestEvictionAndRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 4)
		w := launch(t, "a", wire, coordinator.Config{})
		time.Sleep(5 * time.Second)
		var mu sync.Mutex
		evict := true
		wire.setFault(func(_ context.Context, r shardset.Heartbeat) error {
			mu.Lock()
			defer mu.Unlock()
			if evict {
				evict = false
				return heartbeat.ErrEvicted
			}
			return nil
		})
		time.Sleep(2 * time.Second) // the next regular heartbeat
		evicted := time.Now()
		time.Sleep(100 * time.Millisecond)
		if got := len(w.running()); got != 4 {
			t.Errorf("%v after the eviction %d shards run, want 4: it rejoins at once", time.Since(evicted), got)
		}
		if got := len(w.heard("cancelled")); got != 4 {
			t.Errorf("%d shards were lost, want 4", got)
		}
		if c := w.Status().Counters; c.Evictions != 1 || c.LeasesLost != 1 {
			t.Errorf("counted %d evictions and %d lost leases, want 1 and 1", c.Evictions, c.LeasesLost)
		}
		w.end()
	})
}

// A service that evicts for ever does not make a storm.
func TestEvictedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 1)
		wire.setFault(func(context.Context, shardset.Heartbeat) error { return heartbeat.ErrEvicted })
		w := launch(t, "a", wire, coordinator.Config{})
		time.Sleep(time.Minute)
		if n := len(wire.beatTimes()); n > 90 {
			t.Errorf("%d heartbeats in a minute", n)
		}
		w.end()
	})
}

func TestGroupDeleted(t *testing.T) {
	for _, create := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			wire := newWire(t, 2)
			w := launch(t, "a", wire, coordinator.Config{CreateGroup: create})
			time.Sleep(5 * time.Second)
			wire.Delete()
			time.Sleep(5 * time.Second)
			if create {
				if got := len(w.running()); got != 2 {
					t.Errorf("%d shards run in the new group, want 2", got)
				}
				if _, err := w.end(); err != nil {
					t.Errorf("Run returned %v", err)
				}
				return
			}
			<-w.done
			if !errors.Is(w.err, heartbeat.ErrGroupNotFound) {
				t.Errorf("Run returned %v, want ErrGroupNotFound", w.err)
			}
		})
	}
}

type denied struct{}

func (denied) Error() string   { return "project does not exist" }
func (denied) Retryable() bool { return false }

func TestPermanentErrorsEndRun(t *testing.T) {
	for _, err := range []error{heartbeat.ErrUnauthorized, denied{}} {
		synctest.Test(t, func(t *testing.T) {
			wire := newWire(t, 2)
			w := launch(t, "a", wire, coordinator.Config{})
			time.Sleep(5 * time.Second)
			wire.setFault(func(context.Context, shardset.Heartbeat) error { return err })
			time.Sleep(5 * time.Second)
			<-w.done
			if !errors.Is(w.err, err) {
				t.Errorf("Run returned %v, want %v", w.err, err)
			}
			if got := len(w.heard("draining")); got != 2 {
				t.Errorf("%d shards were drained, want 2", got)
			}
		})
	}
}

// stale is how a service refuses credentials that may be replaced.
type stale struct{}

func (stale) Error() string   { return "the token has expired" }
func (stale) Retryable() bool { return true }
func (stale) Unwrap() error   { return heartbeat.ErrUnauthorized }

func refuse(context.Context, shardset.Heartbeat) error { return fmt.Errorf("beat: %w", stale{}) }

// Credentials that are refused for a while cost nothing: not at the start, and not while
// the lease lasts.
func TestRefusalsThatPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 2)
		wire.setFault(refuse)
		w := launch(t, "a", wire, coordinator.Config{Interval: time.Second})
		for range 5 {
			time.Sleep(2 * time.Second)
			wire.setFault(nil)
			time.Sleep(5 * time.Second)
			s := w.Status()
			if s.State != coordinator.StateRunning || s.HeartbeatErrors != 0 || s.Counters.HeartbeatsFailed == 0 || s.Counters.LeasesLost != 0 || len(w.running()) != 2 {
				t.Fatalf("the worker is %v and runs %v: %+v", s.State, w.running(), s.Counters)
			}
			wire.setFault(refuse)
		}
		wire.setFault(nil)
		if _, err := w.end(); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// When the lease is over, or when a worker that never had one has tried for as long, that
// is the end.
func TestRefusalsThatStay(t *testing.T) {
	for name, joined := range map[string]bool{"with a lease": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := newWire(t, 2)
				start := time.Now()
				if !joined {
					wire.setFault(refuse)
				}
				w := launch(t, "a", wire, coordinator.Config{})
				if joined {
					time.Sleep(5 * time.Second)
					start = w.Status().LastHeartbeat
					wire.setFault(refuse)
				}
				<-w.done
				// The next refusal after the lease ends it, and the pauses are no longer
				// than an interval.
				took := time.Since(start)
				if took < ttl-shardset.Margin(ttl) || took > ttl+2*interval {
					t.Errorf("Run returned after %v, want it when a lease of %v is over", took, ttl)
				}
				if !errors.Is(w.err, heartbeat.ErrUnauthorized) || len(wire.beatTimes()) < 4 {
					t.Errorf("Run returned %v after %d heartbeats", w.err, len(wire.beatTimes()))
				}
				if n := len(w.heard("draining")); n != 0 {
					t.Errorf("%d shards were drained after the lease", n)
				}
			})
		})
	}
}

func TestIntervalMustFitTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := launch(t, "a", newWire(t, 1), coordinator.Config{Interval: ttl/3 + time.Millisecond})
		<-w.done
		var bad *shardset.IntervalError
		if !errors.As(w.err, &bad) || bad.TTL != ttl {
			t.Errorf("Run returned %v, want an IntervalError with the TTL %v", w.err, ttl)
		}
		if len(w.heard("assigned")) != 0 {
			t.Error("a shard was started although the interval does not fit")
		}
	})
}
