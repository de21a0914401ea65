package coordinator

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Hooks are told what happens in a Coordinator. A nil hook is not called. They are
// called one at a time, in the order of the events, on a goroutine of their own: a
// slow hook delays later hooks, never a heartbeat, a processor or the log, and none is
// dropped, so what waits for a hook that never returns grows; that is logged. Run
// waits for the last of them within its drain bound. A panic in a hook is logged.
type Hooks struct {
	// Member: the member's state changed. Err says why, where something went wrong.
	Member func(MemberEvent)
	// Heartbeat: a heartbeat was answered or failed.
	Heartbeat func(HeartbeatEvent)
	// Assigned: the group granted a shard; its checkpoint will be read.
	Assigned func(ShardEvent)
	// Started: Process is called. After a failure it is called again, with Started.
	Started func(ShardEvent)
	// Failed: Process, or what comes before it, returned an error or panicked.
	Failed func(ShardEvent)
	// Halted: Process, or the Factory, returned Err, made with processor.Halt. The shard
	// stays held, and idle. If it had to go anyway, Failed tells.
	Halted func(ShardEvent)
	// Draining: the processor was asked to finish. Err is processor.ErrRevoked or
	// processor.ErrShutdown.
	Draining func(ShardEvent)
	// Cancelled: the context was cancelled. Err is processor.ErrLeaseLost when the
	// lease is over, or what the drain began with when that took too long.
	Cancelled func(ShardEvent)
	// Stopped: the processor has returned and its last commit is decided.
	Stopped func(ShardEvent)
	// Stuck: the processor ignored its cancelled context for Config.StuckAfter. Or it gave
	// no sign of progress for Config.NoProgressAfter: then Err matches
	// processor.ErrNoProgress and says what does not return, and it is told again only if
	// there was progress in between.
	Stuck func(ShardEvent)
	// Commit: a commit went through or failed.
	Commit func(CommitEvent)
	// Poisoned: a processor gave up a piece of its shard and went on after it.
	Poisoned func(PoisonEvent)
	// Gap: a piece of a shard was gone before its processor had read it.
	Gap func(GapEvent)
}

// MemberEvent is a change of the member's state.
type MemberEvent struct {
	Member   string
	Instance uint64
	At       time.Time
	State    State // joining, running or leaving
	// Err is why a lease was lost, or why Run ends; nil where nothing is wrong.
	Err error
}

// HeartbeatEvent is one heartbeat.
type HeartbeatEvent struct {
	Member string
	Sent   time.Time
	Took   time.Duration
	Held   int   // shards it reported
	Shards int   // shards of the answer
	Err    error // nil: it was answered
}

// ShardEvent is something that happened to a shard.
type ShardEvent struct {
	Member string
	At     time.Time
	ID     shardset.ID
	Epoch  uint64
	// Err says why, where the hook does.
	Err error
	// Resume is where Process goes on from: in Started; empty means that nothing was
	// ever committed.
	Resume processor.Position
	// Retry is the pause before the next attempt: in Failed, zero if there is none.
	Retry time.Duration
	// Outcome is how the processor returned, in Stopped: shardset.OutcomeLost if the lease
	// ended before it did.
	Outcome shardset.Outcome
}

// CommitEvent is one commit.
type CommitEvent struct {
	processor.Commit
	At  time.Time
	Err error // nil: it is durable
}

// PoisonEvent is a piece of a shard that was given up.
type PoisonEvent struct {
	processor.Poison
	Member string
	At     time.Time
	ID     shardset.ID
	Epoch  uint64
}

// GapEvent is a piece of a shard that was gone.
type GapEvent struct {
	processor.Gap
	Member string
	At     time.Time
	ID     shardset.ID
	Epoch  uint64
}

// JoinHooks returns Hooks that call those of each argument, in that order. A hook that panics
// does not keep the ones after it from being called; the log has the last panic, and the
// stack of all.
func JoinHooks(hooks ...Hooks) Hooks {
	var all Hooks
	for _, h := range hooks {
		all.Member = inOrder(all.Member, h.Member)
		all.Heartbeat = inOrder(all.Heartbeat, h.Heartbeat)
		all.Assigned = inOrder(all.Assigned, h.Assigned)
		all.Started = inOrder(all.Started, h.Started)
		all.Failed = inOrder(all.Failed, h.Failed)
		all.Halted = inOrder(all.Halted, h.Halted)
		all.Draining = inOrder(all.Draining, h.Draining)
		all.Cancelled = inOrder(all.Cancelled, h.Cancelled)
		all.Stopped = inOrder(all.Stopped, h.Stopped)
		all.Stuck = inOrder(all.Stuck, h.Stuck)
		all.Commit = inOrder(all.Commit, h.Commit)
		all.Poisoned = inOrder(all.Poisoned, h.Poisoned)
		all.Gap = inOrder(all.Gap, h.Gap)
	}
	return all
}

// inOrder returns a hook that calls two, of which either may be nil.
func inOrder[E any](first, second func(E)) func(E) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(e E) {
		defer second(e) // also after a panic
		first(e)
	}
}
