package coordinator

import (
	"fmt"
	"testing"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/shardset"
)

// All combinations of the protocol's state, the processor's phase (columns) and stuck or not.
func TestShardState(t *testing.T) {
	phases := [...]runner.Phase{0, runner.PhaseStarting, runner.PhaseRunning, runner.PhaseRestarting, runner.PhaseHalted, runner.PhaseReturned}
	for p, want := range map[shardset.State][len(phases)]ShardState{
		shardset.StateHeld:       {ShardStarting, ShardStarting, ShardRunning, ShardRestarting, ShardHalted, ShardRunning},
		shardset.StateDraining:   {ShardDraining, ShardDraining, ShardDraining, ShardDraining, ShardDraining, ShardDraining},
		shardset.StateCancelled:  {ShardCancelled, ShardCancelled, ShardCancelled, ShardCancelled, ShardCancelled, ShardCancelled},
		shardset.StateRestarting: {ShardRestarting, ShardRestarting, ShardRestarting, ShardRestarting, ShardRestarting, ShardRestarting},
		shardset.StateComplete:   {ShardComplete, ShardComplete, ShardComplete, ShardComplete, ShardComplete, ShardComplete},
	} {
		for i, phase := range phases {
			if got := shardState(p, phase, false); got != want[i] {
				t.Errorf("%v and %v make %v, want %v", p, phase, got, want[i])
			}
			if got := shardState(p, phase, true); got != ShardStuck {
				t.Errorf("%v and %v of a stuck shard make %v", p, phase, got)
			}
		}
	}
}

func TestShardStateString(t *testing.T) {
	want := "starting running restarting draining cancelled halted complete stuck ShardState(9)"
	var got string
	for s := ShardStarting; s <= ShardStuck+1; s++ {
		if got != "" {
			got += " "
		}
		got += fmt.Sprint(s)
	}
	if got != want {
		t.Errorf("the states print as %s, want %s", got, want)
	}
}
