package coordinator_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// task is work with an end: each shard takes some seconds, its number plus one, and
// counts as done once that is committed.
type task struct {
	mu   sync.Mutex // guards the fields below
	done map[shardset.ID]int
	runs int
	end  error // what Process returns at the end
}

func newTask() *task { return &task{done: map[shardset.ID]int{}} }

func (w *task) Process(ctx context.Context, s *processor.Shard) error {
	w.mu.Lock()
	w.runs++
	end := w.end
	w.mu.Unlock()
	if _, committed := s.Resume(); committed {
		return end
	}
	select {
	case <-s.Revoked():
		return nil
	case <-ctx.Done():
		return nil
	case <-time.After(time.Duration(s.ID().Number+1) * time.Second):
	}
	if err := s.Commit(ctx, "end"); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[s.ID()]++
	return end
}

// config is that of a worker at this task.
func (w *task) config() coordinator.Config {
	return coordinator.Config{Finite: true, Processor: processor.FromFunc(w.Process)}
}

// check fails the test unless each of n shards was done once.
func (w *task) check(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range n {
		if w.done[id(i)] != 1 {
			t.Errorf("shard %s was done %d times, want once", id(i), w.done[id(i)])
		}
	}
}

// finished waits for workers to return by themselves, and checks that they did without
// an error, and how long it took.
func finished(t *testing.T, atLeast, atMost time.Duration, workers ...*worker) {
	t.Helper()
	start := time.Now()
	for _, w := range workers {
		select {
		case <-w.done:
		case <-time.After(10 * time.Minute):
			t.Fatalf("worker %s has not finished after %v", w.Status().Member, time.Since(start))
		}
		took := time.Since(start)
		if s := w.Status(); w.err != nil || took < atLeast || took > atMost || s.State != coordinator.StateStopped || len(s.Shards) > 0 {
			t.Errorf("worker %s returned %v after %v, with %d shards, want nil after %v to %v and none",
				s.Member, w.err, took, len(s.Shards), atLeast, atMost)
		}
	}
}

// plain is a service that cannot tell when all is done.
type plain struct{ *wire }

func (p plain) Info() heartbeat.Info {
	info := p.wire.Info()
	info.Guarantees.Completion = false
	return info
}

func (p plain) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	r.Complete = nil
	a, err := p.wire.Beat(ctx, r)
	a.Complete = false
	return a, err
}

// All shards are done after 8s, the one of the first worker after 1s to 4s: none goes
// before, a standby included.
func TestFiniteWorkersFinishTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, wire := newTask(), newWire(t, 8)
		var workers []*worker
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "standby"} {
			workers = append(workers, launch(t, name, wire.another(), work.config()))
		}
		finished(t, 8*time.Second, 9*time.Second, workers...)
		work.check(t, 8)
		if n := len(wire.Snapshot().Members); n != 0 {
			t.Errorf("%d members are left", n)
		}
	})
}

func TestOneFiniteWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := newTask()
		finished(t, 4*time.Second, 4*time.Second+slack, launch(t, "a", newWire(t, 4), work.config()))
		work.check(t, 4)
	})
}

// The end of a closed shard is an end.
func TestFiniteWithEndedShards(t *testing.T) {
	for name, serve := range map[string]func(*wire) heartbeat.Client{
		"counted": func(w *wire) heartbeat.Client { return w },
		"plain":   func(w *wire) heartbeat.Client { return plain{w} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				work, wire := newTask(), newWire(t, 4)
				work.end = processor.ErrShardClosed
				a, b := launch(t, "a", serve(wire), work.config()), launch(t, "b", serve(wire.another()), work.config())
				finished(t, 4*time.Second, 4*time.Second+2*ttl, a, b)
				work.check(t, 4)
			})
		})
	}
}

// What a worker had done, or not, that crashed comes to the other, after its lease.
func TestFiniteWorkOfACrashedWorker(t *testing.T) {
	for name, serve := range map[string]func(*wire) heartbeat.Client{
		"counted": func(w *wire) heartbeat.Client { return w },
		"plain":   func(w *wire) heartbeat.Client { return plain{w} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				work, wire := newTask(), newWire(t, 4)
				a := launch(t, "a", serve(wire), work.config())
				time.Sleep(time.Second / 2)
				line := wire.another()
				b := launch(t, "b", serve(line), work.config())
				time.Sleep(time.Second)
				if n := len(b.running()); n != 2 {
					t.Errorf("the worker that is to crash runs %d shards, want 2", n)
				}
				line.setCut(true)
				finished(t, ttl, 4*ttl, a)
				work.check(t, 4)
				line.setCut(false) // it comes back, and finds nothing to do
				finished(t, 0, 3*ttl, b)
			})
		})
	}
}

// Without a service that counts each worker waits for one TTL with nothing to do, and
// so does who is given what the first leave.
func TestFiniteOnAPlainService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, wire := newTask(), newWire(t, 4)
		a, b := launch(t, "a", plain{wire}, work.config()), launch(t, "b", plain{wire.another()}, work.config())
		standby := launch(t, "standby", plain{wire.another()}, coordinator.Config{
			Finite: true, Processor: processor.FromFunc(work.Process), Weight: 1,
		})
		finished(t, 2*time.Second+ttl, 4*time.Second+3*ttl, a, b, standby)
		work.check(t, 4)
	})
	synctest.Test(t, func(t *testing.T) {
		work := newTask()
		alone := launch(t, "a", plain{newWire(t, 2)}, work.config())
		finished(t, 2*time.Second+ttl, 2*time.Second+ttl+slack, alone)
	})
}

// A shard that goes on, fails again and again, or is halted is not done.
func TestFiniteWorkersStayForWhatIsNotDone(t *testing.T) {
	for name, process := range map[string]func(ctx context.Context, s *processor.Shard) error{
		"goes on": idle,
		"fails":   func(context.Context, *processor.Shard) error { return errCut },
		"halted":  func(context.Context, *processor.Shard) error { return processor.Halt(errCut) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				work, wire := newTask(), newWire(t, 3)
				cfg := coordinator.Config{Finite: true, Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
					if s.ID() == id(2) {
						return process(ctx, s)
					}
					return work.Process(ctx, s)
				})}
				workers := []*worker{launch(t, "a", wire, cfg), launch(t, "b", wire.another(), cfg)}
				time.Sleep(time.Hour)
				for _, w := range workers {
					if s := w.Status(); s.State != coordinator.StateRunning {
						t.Errorf("worker %s is %s after an hour, want running", s.Member, s.State)
					}
					if _, err := w.end(); err != nil {
						t.Errorf("Run returned %v, want nil", err)
					}
				}
				work.check(t, 2)
			})
		})
	}
}

// A worker without Finite stays, and holds what the others
// leave.
func TestNotFiniteNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, wire := newTask(), newWire(t, 4)
		cfg := work.config()
		cfg.Finite = false
		stays, goes := launch(t, "a", wire, cfg), launch(t, "b", wire.another(), work.config())
		finished(t, 4*time.Second, 5*time.Second, goes)
		time.Sleep(time.Hour)
		if s := stays.Status(); s.State != coordinator.StateRunning || len(s.Shards) != 4 {
			t.Errorf("after an hour the worker is %s with %d shards, want running with 4", s.State, len(s.Shards))
		}
		stays.end()
	})
}

// The reason to go may come while the worker goes for another. The first one counts.
func TestFiniteWorkerThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, wire := newTask(), newWire(t, 2)
		work.end = processor.Fatal(errCut)
		w := launch(t, "a", wire, work.config())
		<-w.done
		if !errors.Is(w.err, errCut) {
			t.Errorf("Run returned %v, want what the processor did", w.err)
		}
	})
}

// A run that ends by itself returns in time, whether a hook hangs or not.
func TestFiniteRunEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := newTask()
		cfg := work.config()
		cfg.DrainTimeout = time.Second
		hang := make(chan struct{})
		cfg.Hooks.Member = func(coordinator.MemberEvent) { <-hang }
		start := time.Now()
		w := launch(t, "a", newWire(t, 1), cfg)
		<-w.done
		close(hang)
		var drain *coordinator.DrainError
		if took := time.Since(start); took > 2*time.Second+slack || !errors.As(w.err, &drain) {
			t.Errorf("Run returned %v after %v, want a DrainError that names the hooks within 2s", w.err, took)
		}
	})
}
