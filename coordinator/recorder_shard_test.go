package coordinator

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/shardset"
)

// Every kind of event is logged, and says how.
func TestEveryEventIsLogged(t *testing.T) {
	for kind := event.Kind(1); kind <= event.Kinds; kind++ {
		if shardEvents[kind].message == "" {
			t.Errorf("the kind of event %d is not in the table", kind)
		}
	}
}

// All kinds of events whose hooks take a ShardEvent give a state, and only these.
func TestStateAfter(t *testing.T) {
	tested := map[event.Kind]bool{}
	for _, c := range []struct {
		event event.Event
		want  ShardState
	}{
		{event.Event{Kind: event.Assigned}, ShardStarting},
		{event.Event{Kind: event.Started}, ShardRunning},
		{event.Event{Kind: event.Failed, Retry: time.Second}, ShardRestarting},
		{event.Event{Kind: event.Failed}, 0},
		{event.Event{Kind: event.Halted}, ShardHalted},
		{event.Event{Kind: event.Draining}, ShardDraining},
		{event.Event{Kind: event.Draining, Stuck: true}, ShardStuck},
		{event.Event{Kind: event.Cancelled}, ShardCancelled},
		{event.Event{Kind: event.Cancelled, Stuck: true}, ShardStuck},
		{event.Event{Kind: event.Stopped, Outcome: shardset.OutcomeReleased}, 0},
		{event.Event{Kind: event.Stopped, Outcome: shardset.OutcomeComplete}, 0}, // revoked in the same moment
		{event.Event{Kind: event.Stopped, Outcome: shardset.OutcomeComplete, HeldAs: shardset.StateComplete}, ShardComplete},
		{event.Event{Kind: event.Stopped, Outcome: shardset.OutcomeClosed, HeldAs: shardset.StateComplete}, ShardComplete},
		{event.Event{Kind: event.Stopped, Outcome: shardset.OutcomeFailed, HeldAs: shardset.StateRestarting}, ShardRestarting},
		{event.Event{Kind: event.Stopped, Outcome: shardset.OutcomeReleased, HeldAs: shardset.StateHeld}, 0}, // granted again
		{event.Event{Kind: event.Stuck}, ShardStuck},
		{event.Event{Kind: event.Stalled}, ShardStuck},
	} {
		tested[c.event.Kind] = true
		if got := stateAfter(c.event); got != c.want {
			t.Errorf("after %+v the state is %v, want %v", c.event, got, c.want)
		}
	}
	for kind := event.Kind(1); kind <= event.Kinds; kind++ {
		var state ShardState
		takes := false
		if hook := shardEvents[kind].hook; hook != nil {
			note := func(e ShardEvent) { takes, state = true, e.State }
			h := Hooks{Assigned: note, Started: note, Failed: note, Halted: note, Draining: note, Cancelled: note, Stopped: note, Stuck: note}
			if call := hook(&h, event.Event{Kind: kind, Retry: 1, HeldAs: shardset.StateComplete}, "", time.Time{}); call != nil {
				call()
			}
		}
		if takes != tested[kind] || takes != (state != 0) {
			t.Errorf("event %d: its hook takes a ShardEvent %v, is tested %v, and has the state %v", kind, takes, tested[kind], state)
		}
	}
}
