package coordinator_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// One shard panics, one fails, one hangs: the others do not notice.
func TestOneShardsTroubleIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		rounds := map[shardset.ID]int{}
		release := make(chan struct{})
		cfg := coordinator.Config{Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			switch s.ID().Number {
			case 0:
				panic("poison")
			case 1:
				return errors.New("broken sink")
			case 2:
				<-release
				return nil
			}
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					mu.Lock()
					rounds[s.ID()]++
					mu.Unlock()
				case <-s.Revoked():
					return nil
				}
			}
		})}
		w := launch(t, "a", newWire(t, 8), cfg)
		time.Sleep(time.Minute + time.Second/2)
		mu.Lock()
		for n := 3; n < 8; n++ {
			if got := rounds[id(n)]; got != 60 {
				t.Errorf("shard %s made %d rounds in a minute, want 60", id(n), got)
			}
		}
		mu.Unlock()
		s := w.Status()
		if s.Counters.Panics < 3 || s.Counters.Panics > 20 || s.Counters.Assigned != 8 {
			t.Errorf("%d panics and %d starts in a minute, want some panics and 8 starts", s.Counters.Panics, s.Counters.Assigned)
		}
		var panicked *processor.PanicError
		if !errors.As(s.Shards[0].LastError, &panicked) || panicked.Value != "poison" {
			t.Errorf("the status of the panicking shard says %v", s.Shards[0].LastError)
		}
		if s.Shards[1].Restarts == 0 || s.Shards[1].LastError == nil {
			t.Errorf("the status of the failing shard says %+v", s.Shards[1])
		}
		close(release)
		w.end()
	})
}

// User code that hangs everywhere it can does not delay one heartbeat.
func TestUserCodeNeverDelaysAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 8)
		release := make(chan struct{})
		hang := func() { <-release }
		cfg := coordinator.Config{
			Processor:  processor.FromFunc(func(context.Context, *processor.Shard) error { hang(); return nil }),
			Hooks:      coordinator.Hooks{Assigned: func(coordinator.ShardEvent) { hang() }},
			StuckAfter: time.Second, DrainTimeout: time.Second,
			Logger: zap.New(hangingCore{release}),
		}
		w := launch(t, "a", wire, cfg)
		time.Sleep(time.Second)
		other := launch(t, "b", wire.another(), coordinator.Config{})
		time.Sleep(10 * time.Minute)
		beats := wire.beatTimes()
		for i := 1; i < len(beats); i++ {
			if gap := beats[i].Sub(beats[i-1]); gap > interval*3/2 {
				t.Errorf("%v between two heartbeats, want at most %v", gap, interval*3/2)
			}
		}
		if len(beats) < 300 {
			t.Errorf("%d heartbeats in ten minutes", len(beats))
		}
		// Four of the shards were revoked in favour of b and never came free: stuck,
		// still reported, and no other member starts them.
		if n := len(other.running()); n != 0 {
			t.Errorf("the other member runs %d shards whose processors are stuck elsewhere", n)
		}
		// The other four gave no sign for five minutes.
		stuck := 0
		for _, s := range w.Status().Shards {
			if s.State == coordinator.ShardStuck {
				stuck++
			}
		}
		if c := w.Status().Counters; stuck != 8 || c.Stuck != 4 || c.NoProgress != 4 {
			t.Errorf("%d shards are said to be stuck, %d by their contexts and %d without progress; want 8, 4 and 4", stuck, c.Stuck, c.NoProgress)
		}
		var drain *coordinator.DrainError
		took, err := w.end()
		if !errors.As(err, &drain) || len(drain.Shards) != 8 || !slices.Contains(drain.Parts, "hooks") {
			t.Errorf("Run returned %v, want a DrainError with 8 shards and the hooks", err)
		}
		if took > time.Second+slack {
			t.Errorf("Run took %v to return", took)
		}
		other.end()
		close(release)
	})
}

// hangingCore is a log sink that blocks, as a full pipe does.
type hangingCore struct{ release <-chan struct{} }

func TestStuckIsToldOnceAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.InfoLevel)
		release := make(chan struct{})
		cfg := coordinator.Config{
			DrainTimeout: time.Second, StuckAfter: 2 * time.Second, Logger: zap.New(logs),
			Processor: processor.FromFunc(func(context.Context, *processor.Shard) error { <-release; return nil }),
		}
		wire := newWire(t, 2)
		w := launch(t, "a", wire, cfg)
		time.Sleep(time.Second)
		other := launch(t, "b", wire.another(), coordinator.Config{})
		begin := time.Now()
		time.Sleep(time.Minute)
		stuck := w.heard("stuck")
		if len(stuck) != 1 || stuck[0].ID != id(1) {
			t.Fatalf("told of %+v, want one stuck shard", stuck)
		}
		if d := stuck[0].At.Sub(begin); d < 3*time.Second || d > 3*time.Second+slack {
			t.Errorf("told after %v, want 1s of draining and 2s of ignoring", d)
		}
		lines := seen.FilterMessageSnippet("stuck").All()
		if len(lines) != 1 || lines[0].ContextMap()["shard"] != "log/1" || lines[0].ContextMap()["member"] != "a" {
			t.Errorf("logged %+v, want one line that names the shard and the member", lines)
		}
		close(release) // it comes back in the end, and the shard moves on
		time.Sleep(time.Second)
		if n := len(other.running()); n != 1 {
			t.Errorf("afterwards the other member runs %d shards, want 1", n)
		}
		w.end()
		other.end()
	})
}

// A commit that the store refuses stops the shard, and the group is asked again.
func TestFencedCommitStopsTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 1)
		store := &refusing{Checkpoints: wire, refuse: 1}
		causes := make(chan error, 10)
		cfg := coordinator.Config{Checkpoints: store, Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			err := s.Commit(ctx, "1")
			if err != nil {
				causes <- context.Cause(ctx)
				return nil // swallowed; the shard is lost all the same
			}
			return idle(ctx, s)
		})}
		w := launch(t, "a", wire, cfg)
		time.Sleep(time.Minute)
		if n := len(causes); n != 1 {
			t.Fatalf("%d commits were refused, want 1", n)
		}
		if cause := <-causes; cause != processor.ErrNotOwner {
			t.Errorf("the context's cause was %v, want ErrNotOwner", cause)
		}
		if n := len(w.running()); n != 1 {
			t.Errorf("%d shards run after the group granted it anew, want 1", n)
		}
		if c := w.Status().Counters; c.CommitsFenced != 1 || c.Commits != 1 {
			t.Errorf("counted %d fenced commits and %d good ones, want 1 and 1", c.CommitsFenced, c.Commits)
		}
		w.end()
	})
}

type refusing struct {
	processor.Checkpoints
	refuse int
}

func (r *refusing) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if r.refuse > 0 {
		r.refuse--
		return processor.ErrNotOwner
	}
	return r.Checkpoints.Save(ctx, o, p)
}

// A processor that finishes by itself is not started again, and its shard stays.
func TestDoneStaysHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 2)
		cfg := coordinator.Config{Processor: processor.FromFunc(func(context.Context, *processor.Shard) error { return nil })}
		w := launch(t, "a", wire, cfg)
		time.Sleep(time.Minute)
		if c := w.Status().Counters; c.Assigned != 2 {
			t.Errorf("%d starts, want 2", c.Assigned)
		}
		for _, s := range w.Status().Shards {
			if s.State != coordinator.ShardComplete {
				t.Errorf("shard %s is %s, want done", s.ID, s.State)
			}
		}
		other := launch(t, "b", wire.another(), coordinator.Config{})
		time.Sleep(time.Second)
		if n := len(other.running()); n != 1 {
			t.Errorf("the other member runs %d shards, want the one that it was promised", n)
		}
		w.end()
		other.end()
	})
}

// A closed shard is not granted again.
func TestEndedIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 2)
		cfg := coordinator.Config{Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			if err := s.Commit(ctx, "end"); err != nil {
				return err
			}
			return processor.ErrShardClosed
		})}
		w := launch(t, "a", wire, cfg)
		time.Sleep(10 * time.Second)
		other := launch(t, "b", wire.another(), cfg)
		time.Sleep(10 * time.Second)
		if n := len(w.Status().Shards); n != 0 {
			t.Errorf("it still reports %d shards", n)
		}
		if n := len(other.heard("assigned")); n != 0 {
			t.Errorf("%d shards were granted after their end", n)
		}
		var states []string
		for _, s := range wire.Snapshot().Shards {
			states = append(states, s.State.String())
		}
		if got := strings.Join(states, " "); got != "closed closed" {
			t.Errorf("the group says %s, want closed closed", got)
		}
		w.end()
		other.end()
	})
}

// A processor that says so ends the worker, after the other shards have drained.
func TestFatalEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := errors.New("no such table")
		wire := newWire(t, 4)
		w := launch(t, "a", wire, coordinator.Config{Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			if s.ID() == id(2) {
				time.Sleep(time.Second)
				return processor.Fatal(missing)
			}
			<-s.Revoked()
			return s.Commit(ctx, "drained")
		})})
		<-w.done
		if !errors.Is(w.err, missing) || !strings.Contains(w.err.Error(), "log/2") {
			t.Errorf("Run returned %v, want the fatal error of log/2", w.err)
		}
		for _, n := range []int{0, 1, 3} {
			if p, _ := wire.Position(id(n)); p != "drained" {
				t.Errorf("shard %s committed %q while the worker stopped, want drained", id(n), p)
			}
		}
	})
}
