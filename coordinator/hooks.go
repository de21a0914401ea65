package coordinator

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Hooks are functions that a Coordinator calls when something happens. A nil hook is not
// called. JoinHooks combines several sets.
//
// Hooks are called one at a time, in the order of the events, on a goroutine of their own. A
// slow hook delays later hooks, but never a heartbeat, a processor or the log. No call is
// dropped: if a hook never returns, the queue behind it grows, and the log warns of this. Before
// Run returns, it waits for the last call, within its time limit. A panic in a hook is logged.
type Hooks struct {
	// Member: the member's state changed. Err says why, if something went wrong.
	Member func(MemberEvent)
	// Heartbeat: a heartbeat was answered or failed.
	Heartbeat func(HeartbeatEvent)
	// Assigned: the group granted a shard. Its checkpoint is loaded next.
	Assigned func(ShardEvent)
	// Started: Process is about to be called, for the first time or after a failure.
	Started func(ShardEvent)
	// Failed: Process, or a step before it, returned an error or panicked.
	Failed func(ShardEvent)
	// Halted: Process or a step before it returned Err, which is marked with processor.Halt.
	// The shard stays held and idle. If the shard was already revoked or lost, Failed is
	// called instead.
	Halted func(ShardEvent)
	// Draining: the processor was asked to finish. Err is processor.ErrRevoked or
	// processor.ErrShutdown.
	Draining func(ShardEvent)
	// Cancelled: the context was cancelled. Err is processor.ErrLeaseLost if the lease was
	// lost. If the drain took too long, Err is the same as in Draining.
	Cancelled func(ShardEvent)
	// Stopped: the processor has returned, and no commit is in flight. If the shard stays
	// held, State is ShardComplete or ShardRestarting. Assigned is called if such a shard
	// starts again. No hook is called if the group revokes it.
	Stopped func(ShardEvent)
	// Stuck: the processor ignored its cancelled context for Config.StuckAfter. Or it showed
	// no progress for Config.NoProgressAfter: then Err matches processor.ErrNoProgress and
	// names the call that does not return, if there is one. The hook is called again only if
	// there was progress in between.
	Stuck func(ShardEvent)
	// Commit: a commit succeeded or failed.
	Commit func(CommitEvent)
	// Poisoned: a processor gave up a part of its shard and continued after it.
	Poisoned func(PoisonEvent)
	// Gap: a part of a shard was deleted before its processor had read it.
	Gap func(GapEvent)
}

// MemberEvent is a change of the member's state.
type MemberEvent struct {
	Member   string
	Instance uint64
	At       time.Time
	State    State // joining, running or leaving
	// Err says why the lease was lost, or why Run ends. Nil: nothing is wrong.
	Err error
}

// HeartbeatEvent is one heartbeat.
type HeartbeatEvent struct {
	Member string
	Sent   time.Time
	Took   time.Duration
	Held   int   // shards that it reported as held
	Shards int   // shards that the answer grants
	Err    error // nil: it was answered
}

// ShardEvent is an event of one shard.
type ShardEvent struct {
	Member string
	At     time.Time
	ID     shardset.ID
	Epoch  uint64
	// State is the shard's state after the event, as in ShardStatus. In Stopped, zero means
	// that the member no longer holds the shard. In Failed without Retry it is zero, because
	// Stopped follows and has the state.
	State ShardState
	// Err says why. The hook's comment describes it.
	Err error
	// Resume is the position from which Process continues, in Started. Empty: nothing was ever
	// committed.
	Resume processor.Position
	// Retry is the pause before the next attempt, in Failed. Zero: there is none.
	Retry time.Duration
	// Outcome says how the processor ended, in Stopped. It is shardset.OutcomeLost if the
	// lease was lost before the processor returned.
	Outcome shardset.Outcome
}

// CommitEvent is one commit.
type CommitEvent struct {
	processor.Commit
	At  time.Time
	Err error // nil: the commit is durable
}

// PoisonEvent is a part of a shard that a processor gave up.
type PoisonEvent struct {
	processor.Poison
	Member string
	At     time.Time
	ID     shardset.ID
	Epoch  uint64
}

// GapEvent is a part of a shard that was deleted before it was read.
type GapEvent struct {
	processor.Gap
	Member string
	At     time.Time
	ID     shardset.ID
	Epoch  uint64
}

// JoinHooks returns Hooks that call the hooks of each argument, in that order. For example, join
// the hooks of a program and of a metrics library. If one hook panics, the others are still
// called. The log shows the last panic, with the stacks of all.
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

// inOrder returns a hook that calls first and then second. Either may be nil.
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
