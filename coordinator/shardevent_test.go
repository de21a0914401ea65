package coordinator_test

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// The State of each event of a shard is what Status says a moment later.
func TestShardEventsAgreeWithTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := newWire(t, 7)
		release := make(chan struct{})
		failed, exited := false, false
		var w *worker
		started := make(chan struct{}) // closed when w is set
		called := map[string]map[coordinator.ShardState]bool{}
		returning := map[shardset.ID]bool{} // Failed without Retry was called, and Stopped was not yet
		check := func(hook string) func(coordinator.ShardEvent) {
			called[hook] = map[coordinator.ShardState]bool{}
			return func(e coordinator.ShardEvent) {
				<-started
				called[hook][e.State] = true
				if returning[e.ID] && hook != "Stopped" {
					t.Errorf("%s of %v follows Failed without Retry, want Stopped", hook, e.ID)
				}
				delete(returning, e.ID)
				switch {
				case hook == "Failed" && e.State == 0:
					returning[e.ID] = true
					return
				case hook == "Draining" && e.ID == id(0):
					return // a halted shard is released at once
				}
				time.Sleep(time.Millisecond)
				shards := w.Status().Shards
				var state coordinator.ShardState
				if i := slices.IndexFunc(shards, func(s coordinator.ShardStatus) bool { return s.ID == e.ID && s.Epoch == e.Epoch }); i >= 0 {
					state = shards[i].State
				}
				if e.State != state {
					t.Errorf("%s of %v has the state %v, but the status says %v", hook, e.ID, e.State, state)
				}
			}
		}
		w = launch(t, "a", line, coordinator.Config{
			Checkpoints: slowLoad{line, time.Second}, NoProgressAfter: 30 * time.Second,
			DrainTimeout: time.Second, StuckAfter: 20 * time.Millisecond,
			Restart: processor.Backoff{Min: time.Minute, Max: time.Minute},
			Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
				time.Sleep(time.Second)
				switch s.ID().Number {
				case 0:
					return processor.Halt(errCut)
				case 1:
					return nil
				case 2:
					if !failed {
						failed = true
						return errCut
					}
				case 3:
					if !exited {
						exited = true
						runtime.Goexit()
					}
				case 4:
					<-s.Revoked()
					time.Sleep(500 * time.Millisecond)
					return nil // it made no progress
				case 5:
					s.ReportProgress(processor.Progress{CaughtUp: true})
					<-release
				case 6:
					s.ReportProgress(processor.Progress{CaughtUp: true})
					<-ctx.Done()
				}
				s.ReportProgress(processor.Progress{CaughtUp: true})
				<-s.Revoked()
				time.Sleep(500 * time.Millisecond)
				return nil
			}),
			Hooks: coordinator.Hooks{
				Assigned: check("Assigned"), Started: check("Started"), Failed: check("Failed"), Halted: check("Halted"),
				Draining: check("Draining"), Cancelled: check("Cancelled"), Stopped: check("Stopped"), Stuck: check("Stuck"),
			},
		})
		close(started)
		time.Sleep(2 * time.Minute)
		w.end()
		close(release)
		time.Sleep(time.Second) // until the stuck processor has returned
		want := map[string][]coordinator.ShardState{
			"Assigned": {coordinator.ShardStarting}, "Started": {coordinator.ShardRunning}, "Halted": {coordinator.ShardHalted},
			"Failed":    {0, coordinator.ShardRestarting},
			"Draining":  {coordinator.ShardDraining, coordinator.ShardStuck},
			"Cancelled": {coordinator.ShardCancelled},
			"Stopped":   {0, coordinator.ShardRestarting, coordinator.ShardComplete},
			"Stuck":     {coordinator.ShardStuck},
		}
		for hook, states := range want {
			if got := slices.Sorted(maps.Keys(called[hook])); !slices.Equal(got, states) {
				t.Errorf("%s was called with the states %v, want %v", hook, got, states)
			}
		}
	})
}
