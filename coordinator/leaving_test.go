package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A worker that leaves gives each shard away as it comes free; one slow drain does
// not hold the others back.
func TestASlowDrainHoldsNobodyElseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 16)
		stays := launch(t, "a", wire.another(), coordinator.Config{})
		time.Sleep(time.Second)
		leaves := launch(t, "b", wire.another(), coordinator.Config{
			Processor: processor.FromFunc(func(_ context.Context, s *processor.Shard) error {
				<-s.Revoked()
				if s.ID() == id(15) {
					time.Sleep(20 * time.Second)
				}
				return nil
			}),
		})
		time.Sleep(10 * time.Second)
		if n := len(leaves.running()); n != 8 {
			t.Fatalf("the second worker runs %d shards, want 8", n)
		}
		leaves.stop()
		time.Sleep(100 * time.Millisecond)
		if n := len(stays.running()); n != 15 {
			t.Errorf("100ms after the stop the other runs %d shards, want all but the one that drains", n)
		}
		<-leaves.done
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		if n := len(stays.running()); n != 16 {
			t.Errorf("after the drain the other runs %d shards, want 16", n)
		}
		if n := len(leaves.heard("assigned")); n != 8 {
			t.Errorf("the leaving worker was granted %d shards in all, want 8", n)
		}
		stays.end()
	})
}

// A worker that is evicted, or loses its lease, while it drains does not join again.
func TestNoRejoinWhileLeaving(t *testing.T) {
	for _, fault := range []error{heartbeat.ErrEvicted, errCut} {
		t.Run(fault.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := newWire(t, 2)
				w := launch(t, "a", wire, coordinator.Config{Processor: processor.FromFunc(
					func(context.Context, *processor.Shard) error { time.Sleep(20 * time.Second); return nil })})
				time.Sleep(time.Second)
				w.stop()
				var mu sync.Mutex
				var after []shardset.Heartbeat
				wire.setFault(func(_ context.Context, r shardset.Heartbeat) error {
					mu.Lock()
					defer mu.Unlock()
					after = append(after, r)
					return fault
				})
				<-w.done
				mu.Lock()
				defer mu.Unlock()
				for _, r := range after {
					if r.Instance != after[0].Instance {
						t.Errorf("a heartbeat of instance %d was sent while leaving, after %d", r.Instance, after[0].Instance)
					}
				}
				if len(after) == 0 {
					t.Error("no heartbeat was sent while draining: the test did nothing")
				}
			})
		})
	}
}

// What ends Run is not said to be retried, and named in the log before it ends.
func TestAFinalErrorIsNotRetried(t *testing.T) {
	for name, fault := range map[string]error{
		"unauthorized": heartbeat.ErrUnauthorized,
		"replaced":     &shardset.ReplacedError{Member: "a", Newest: math.MaxUint64},
		"no group":     fmt.Errorf("beat: %w", heartbeat.ErrGroupNotFound),
		"closed":       finalError{},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, seen := observer.New(zap.InfoLevel)
				wire := newWire(t, 1)
				w := launch(t, "a", wire, coordinator.Config{Logger: zap.New(core)})
				time.Sleep(5 * time.Second)
				wire.setFault(func(context.Context, shardset.Heartbeat) error { return fault })
				<-w.done
				synctest.Wait()
				if !errors.Is(w.err, fault) {
					t.Errorf("Run returned %v, want %v", w.err, fault)
				}
				said := -1
				for i, l := range seen.All() {
					switch {
					case strings.Contains(l.Message, "retrying"):
						t.Errorf("the log says %q", l.Message)
					case l.Message == "heartbeat failed" && l.ContextMap()["error"] == fault.Error():
						said = i
					case said < 0 && l.Level > zap.InfoLevel:
						t.Errorf("the log says %q before the error of the heartbeat", l.Message)
					}
				}
				if said < 0 {
					t.Error("the log does not say that the heartbeat failed")
				}
			})
		})
	}
}

// finalError is one that no repetition mends.
type finalError struct{}

func (finalError) Error() string   { return "the connection is closed" }
func (finalError) Retryable() bool { return false }

// The service says, without instances or with the group gone, that others may have
// the shards: nothing is committed any more.
func TestFinalLossCancelsAtOnce(t *testing.T) {
	for _, fault := range []error{heartbeat.ErrReplaced, heartbeat.ErrGroupNotFound} {
		t.Run(fault.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				commits := make(chan error, 1)
				wire := newWire(t, 1)
				w := launch(t, "a", wire, coordinator.Config{Processor: processor.FromFunc(
					func(ctx context.Context, s *processor.Shard) error {
						<-ctx.Done()
						commits <- s.Commit(context.Background(), "1")
						return nil
					})})
				time.Sleep(time.Second)
				wire.setFault(func(context.Context, shardset.Heartbeat) error { return fault })
				begin := time.Now()
				<-w.done
				if took := time.Since(begin); took > interval+slack {
					t.Errorf("Run returned after %v, want after the next heartbeat, %v at most", took, interval)
				}
				if !errors.Is(w.err, fault) {
					t.Errorf("Run returned %v, want %v", w.err, fault)
				}
				if err := <-commits; !errors.Is(err, processor.ErrLeaseLost) {
					t.Errorf("a commit afterwards returned %v, want ErrLeaseLost", err)
				}
			})
		})
	}
}

func TestMemberHookTellsTheStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		wire := newWire(t, 1)
		w := launch(t, "a", wire, coordinator.Config{Hooks: coordinator.Hooks{Member: func(e coordinator.MemberEvent) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprint(e.State, " ", e.Err))
		}}})
		time.Sleep(10 * time.Second)
		wire.setCut(true)
		time.Sleep(10 * time.Second)
		wire.setCut(false)
		time.Sleep(10 * time.Second)
		w.end()
		mu.Lock()
		defer mu.Unlock()
		want := "joining <nil>, running <nil>, joining the line is cut, running <nil>, leaving <nil>"
		if got := strings.Join(told, ", "); got != want {
			t.Errorf("the hook told %s, want %s", got, want)
		}
	})
}

// What a service promises and what it can do must agree: New says so.
func TestPromisesAndAbilitiesMustAgree(t *testing.T) {
	type plain struct{ heartbeat.Client } // loses the abilities of what it wraps
	cfg := good(t)
	cfg.Checkpoints = cfg.Group.(processor.Checkpoints)
	cfg.Group = plain{cfg.Group}
	_, err := coordinator.New(cfg)
	var bad *shardset.ConfigError
	if !errors.As(err, &bad) || len(bad.Faults) != 2 || bad.Faults[0].Field != "Group" {
		t.Errorf("New returned %v, want two faults of Group: Push and Leave", err)
	}
}

// A store beside the group fences or does not, whatever the group can do.
func TestRequiredFencingIsTheStores(t *testing.T) {
	for _, tc := range []struct {
		store processor.Checkpoints
		ok    bool
	}{
		{nil, true}, {processor.NewMemoryCheckpoints(), true}, {hangingStore{}, false},
	} {
		cfg := good(t)
		cfg.Checkpoints = tc.store
		cfg.Require = heartbeat.Guarantees{FencedCommit: true}
		c, err := coordinator.New(cfg)
		if (err == nil) != tc.ok {
			t.Errorf("with the store %T New returned %v, want ok: %v", tc.store, err, tc.ok)
		}
		if err == nil && !c.Status().Guarantees.FencedCommit {
			t.Errorf("with the store %T the status does not say that commits are fenced", tc.store)
		}
	}
}

// Snapshots share nothing, not even after the end.
func TestStatusSharesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := launch(t, "a", newWire(t, 2), coordinator.Config{DrainTimeout: time.Second, Processor: processor.FromFunc(
			func(context.Context, *processor.Shard) error { <-release; return nil })})
		time.Sleep(time.Second)
		w.end()
		first := w.Status()
		first.Shards[0].ID = shardset.ID{Log: "scribbled"}
		if second := w.Status(); slices.ContainsFunc(second.Shards, func(s coordinator.ShardStatus) bool { return s.ID.Log == "scribbled" }) {
			t.Error("writing to one snapshot changed another")
		}
		close(release)
	})
}

// A drain that may last for ever is one: nothing overflows.
func TestDrainForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := launch(t, "a", newWire(t, 1), coordinator.Config{DrainTimeout: math.MaxInt64, Processor: processor.FromFunc(
			func(_ context.Context, s *processor.Shard) error {
				<-s.Revoked()
				time.Sleep(time.Hour)
				return nil
			})})
		time.Sleep(time.Second)
		if took, err := w.end(); err != nil || took != time.Hour {
			t.Errorf("Run returned %v after %v, want nil after an hour", err, took)
		}
	})
}

// A deleted group is not made anew by a worker that leaves, and while it cannot be
// made, nothing goes on as if it were there.
func TestDeletedGroupEndsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 2)
		w := launch(t, "a", failingCreate{wire}, coordinator.Config{CreateGroup: true})
		time.Sleep(time.Second)
		wire.Delete()
		time.Sleep(100 * time.Millisecond)
		if n := len(w.Status().Shards); n != 0 {
			t.Errorf("%d shards go on in a group that is gone", n)
		}
		w.end()
	})
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 1)
		w := launch(t, "a", wire, coordinator.Config{CreateGroup: true, Processor: processor.FromFunc(
			func(context.Context, *processor.Shard) error { time.Sleep(20 * time.Second); return nil })})
		time.Sleep(time.Second)
		w.stop()
		time.Sleep(time.Second)
		wire.Delete()
		<-w.done
		if _, err := wire.Beat(t.Context(), shardset.Heartbeat{Member: "b"}); !errors.Is(err, heartbeat.ErrGroupNotFound) {
			t.Errorf("a heartbeat after the worker left got %v, want ErrGroupNotFound", err)
		}
	})
}

type failingCreate struct{ *wire }

func (failingCreate) Create(context.Context) error { return errCut }

// A client that ends the goroutine of the heartbeat cannot be lived with, and is not
// passed over in silence.
func TestGoexitInTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 2)
		w := launch(t, "a", wire, coordinator.Config{})
		time.Sleep(time.Second)
		wire.setFault(func(context.Context, shardset.Heartbeat) error { runtime.Goexit(); return nil })
		<-w.done
		if w.err == nil || !strings.Contains(w.err.Error(), "heartbeat") {
			t.Errorf("Run returned %v, want an error about the heartbeat", w.err)
		}
	})
}

// A hook that ends its goroutine, as t.FailNow does, ends no other hook.
func TestGoexitInAHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := launch(t, "a", newWire(t, 3), coordinator.Config{
			Hooks: coordinator.Hooks{Assigned: func(coordinator.ShardEvent) { runtime.Goexit() }},
		})
		time.Sleep(time.Second)
		_, err := w.end()
		if n := len(w.heard("stopped")); err != nil || n != 3 {
			t.Errorf("Run returned %v and %d hooks told of a stop, want nil and 3", err, n)
		}
	})
}
