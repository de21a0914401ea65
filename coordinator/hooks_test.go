package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
)

// The life of one shard, as the hooks tell it: in order, nothing dropped, however
// slow a hook is.
func TestHooksTellTheLifeOfAShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		note := func(format string, args ...any) {
			mu.Lock()
			told = append(told, fmt.Sprintf(format, args...))
			mu.Unlock()
			time.Sleep(time.Second) // a slow hook
		}
		shard := func(kind string) func(coordinator.ShardEvent) {
			return func(e coordinator.ShardEvent) {
				switch {
				case kind == "started":
					note("%s %s %q", kind, e.ID, e.Resume)
				case kind == "stopped":
					note("%s %s %s", kind, e.ID, e.Outcome)
				case e.Err != nil:
					note("%s %s %v", kind, e.ID, e.Err)
				default:
					note("%s %s", kind, e.ID)
				}
			}
		}
		attempt := 0
		cfg := coordinator.Config{
			Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
				if err := s.Commit(ctx, "1"); err != nil {
					return err
				}
				if attempt++; attempt == 1 {
					return errors.New("no luck")
				}
				<-s.Revoked()
				return s.Commit(ctx, "2")
			}),
			Hooks: coordinator.Hooks{
				Assigned: shard("assigned"), Started: shard("started"), Failed: shard("failed"),
				Draining: shard("draining"), Stopped: shard("stopped"), Cancelled: shard("cancelled"), Stuck: shard("stuck"),
				Commit: func(e coordinator.CommitEvent) { note("commit %s %s %v", e.Lease.ID, e.Position, e.Err) },
			},
		}
		wire := newWire(t, 1)
		w := launch(t, "a", wire, cfg)
		time.Sleep(time.Minute)
		w.end()
		want := `assigned log/0
started log/0 ""
commit log/0 1 <nil>
failed log/0 no luck
started log/0 "1"
commit log/0 1 <nil>
draining log/0 worker is shutting down
commit log/0 2 <nil>
stopped log/0 released`
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(told, "\n"); got != want {
			t.Errorf("the hooks told\n%s\nwant\n%s", got, want)
		}
	})
}

func TestHeartbeatHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []coordinator.HeartbeatEvent
		wire := newWire(t, 3)
		cfg := coordinator.Config{Hooks: coordinator.Hooks{Heartbeat: func(e coordinator.HeartbeatEvent) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}}}
		w := launch(t, "a", wire, cfg)
		time.Sleep(5 * time.Second)
		wire.setCut(true)
		time.Sleep(2 * time.Second)
		wire.setCut(false)
		time.Sleep(4 * time.Second)
		w.end()
		mu.Lock()
		defer mu.Unlock()
		if len(events) != len(wire.beatTimes()) {
			t.Errorf("told of %d heartbeats, %d were sent", len(events), len(wire.beatTimes()))
		}
		failed := 0
		for i, e := range events {
			if !e.Sent.Equal(wire.beatTimes()[i]) {
				t.Errorf("heartbeat %d is said to have left at %v, it left at %v", i, e.Sent, wire.beatTimes()[i])
			}
			if e.Err != nil {
				failed++
			} else if e.Shards != 3 {
				t.Errorf("heartbeat %d is said to give %d shards, want 3", i, e.Shards)
			}
		}
		if c := w.Status().Counters; failed == 0 || int64(failed) != c.HeartbeatsFailed || int64(len(events)-failed) != c.Heartbeats {
			t.Errorf("%d of %d heartbeats failed; counted %d and %d", failed, len(events), c.HeartbeatsFailed, c.Heartbeats)
		}
	})
}

func TestAPanickingHookIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.ErrorLevel)
		w := launch(t, "a", newWire(t, 2), coordinator.Config{
			Logger: zap.New(logs),
			Hooks:  coordinator.Hooks{Assigned: func(coordinator.ShardEvent) { panic("hook") }},
		})
		time.Sleep(time.Second)
		if n := len(w.heard("started")); n != 2 {
			t.Errorf("after the panic %d hooks were called, want 2", n)
		}
		if n := seen.FilterMessage("hook panicked").Len(); n != 2 {
			t.Errorf("%d panics were logged, want 2", n)
		}
		w.end()
	})
}

// A worker that never joined says why, and not that it left.
func TestLogLinesWithoutJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.InfoLevel)
		wire := newWire(t, 1)
		wire.setCut(true)
		w := launch(t, "a", wire, coordinator.Config{Logger: zap.New(logs)})
		time.Sleep(3*time.Minute + 10*time.Second)
		w.end()
		want := map[string]int{
			"joining the group": 1, "heartbeat failed, retrying": 1, "heartbeats still fail, retrying": 3,
			"stopping before it joined the group": 1, "the leave call failed; the group waits for the lease to end": 1,
		}
		for _, e := range seen.All() {
			want[e.Message]--
		}
		for message, n := range want {
			if n != 0 {
				t.Errorf("%q: %d lines too few", message, n)
			}
		}
	})
}

// A worker of a finite run says what it waits for while other workers have all shards.
func TestFiniteRunWithoutShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.InfoLevel)
		wire := newWire(t, 1)
		first := launch(t, "a", wire, coordinator.Config{Finite: true})
		time.Sleep(time.Second)
		second := launch(t, "b", wire.another(), coordinator.Config{Finite: true, Logger: zap.New(logs)})
		time.Sleep(3 * time.Minute)
		if n := seen.FilterMessageSnippet("waiting for a first shard").Len(); n != 3 {
			t.Errorf("%d lines say what the worker waits for in 3 min, want 3", n)
		}
		first.end()
		time.Sleep(3 * time.Minute)
		second.end()
		if n := seen.FilterMessageSnippet("waiting for a first shard").Len(); n != 3 {
			t.Errorf("%d lines say what the worker waits for after it had a shard, want 3", n)
		}
	})
}

// One line per event, none per heartbeat, with the four fields.
func TestLogLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.InfoLevel)
		wire := newWire(t, 1)
		w := launch(t, "a", wire, coordinator.Config{Logger: zap.New(logs)})
		time.Sleep(10 * time.Minute)
		wire.setCut(true)
		time.Sleep(time.Minute)
		wire.setCut(false)
		time.Sleep(time.Minute)
		w.end()
		var lines []string
		for _, e := range seen.All() {
			f := e.ContextMap()
			if f["group"] != "test" || f["member"] != "a" {
				t.Errorf("line %q lacks the group or the member: %v", e.Message, f)
			}
			if strings.HasPrefix(e.Message, "shard ") && (f["shard"] != "log/0" || f["epoch"] == nil) {
				t.Errorf("line %q lacks the shard or the epoch: %v", e.Message, f)
			}
			lines = append(lines, e.Message)
		}
		want := `joining the group
joined the group
shard assigned
shard started
heartbeat failed, retrying
shard cancelled
the lease was lost
shard stopped
heartbeats are answered again
joined the group
shard assigned
shard started
leaving the group
shard draining
shard stopped
left the group`
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("it logged\n%s\nwant\n%s", got, want)
		}
	})
}
