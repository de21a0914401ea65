package coordinator

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// ShardState is what a shard that the member holds is doing.
type ShardState uint8

const (
	ShardStarting   ShardState = iota + 1 // the worker reads its checkpoint and makes its processor
	ShardRunning                          // in Process
	ShardRestarting                       // pausing after a failure
	ShardDraining                         // asked to finish
	ShardCancelled                        // its context is cancelled, its goroutine has not returned
	ShardHalted                           // stopped by processor.Halt; held and idle
	ShardComplete                         // its processor returned nil or processor.ErrShardClosed; held and idle
	ShardStuck                            // it ignores its cancelled context, or makes no progress (Config.NoProgressAfter)
)

func (s ShardState) String() string {
	switch s {
	case ShardStarting:
		return "starting"
	case ShardRunning:
		return "running"
	case ShardRestarting:
		return "restarting"
	case ShardDraining:
		return "draining"
	case ShardCancelled:
		return "cancelled"
	case ShardHalted:
		return "halted"
	case ShardComplete:
		return "complete"
	case ShardStuck:
		return "stuck"
	}
	return fmt.Sprintf("ShardState(%d)", uint8(s))
}

// ShardStatus is one shard that the member reports as held.
type ShardStatus struct {
	ID    shardset.ID
	Epoch uint64
	State ShardState
	// Since is when the shard entered State. For a stuck shard it is when the context was
	// cancelled, or the last sign of progress.
	Since time.Time

	Restarts    int                // attempts after the first
	LastError   error              // of an attempt or a commit; nil if none failed
	Position    processor.Position // the last one committed, or the one it started from
	CommittedAt time.Time          // zero: this run of the shard has committed nothing
	Progress    processor.Progress // what the processor last reported, with the current Lag
	Poison      int                // calls of Shard.ReportPoison
	Gaps        int                // calls of Shard.ReportGap
}

// shardState combines the state in the protocol with the phase of the processor. The phase
// counts only in shardset.StateHeld. A zero phase means that there is no run.
func shardState(p shardset.State, phase runner.Phase, stuck bool) ShardState {
	switch {
	case stuck:
		return ShardStuck
	case p == shardset.StateDraining:
		return ShardDraining
	case p == shardset.StateCancelled:
		return ShardCancelled
	case p == shardset.StateRestarting:
		return ShardRestarting
	case p == shardset.StateComplete:
		return ShardComplete
	case phase == runner.PhaseRestarting:
		return ShardRestarting
	case phase == runner.PhaseHalted:
		return ShardHalted
	case phase == runner.PhaseRunning, phase == runner.PhaseReturned: // returned: the owner has not handled it yet
		return ShardRunning
	}
	return ShardStarting
}
