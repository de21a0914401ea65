package coordinator

import (
	"errors"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// shardEvents says, for each kind of event, what to count, what to log and which hook to call.
var shardEvents = [event.Kinds + 1]struct {
	count   func(e event.Event) func(c *Counters)
	level   zapcore.Level
	message string
	fields  func(e event.Event, member string) []zap.Field
	hook    hookCall
}{
	event.Assigned: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.Assigned++ } },
		level: zap.InfoLevel, message: "shard assigned",
		hook: shardHook(func(h *Hooks) func(ShardEvent) { return h.Assigned }),
	},
	event.AssignedAgain: {
		level: zap.WarnLevel, message: "shard was processed to its end, but the group goes on granting it; starting it again",
	},
	event.Started: {
		level: zap.InfoLevel, message: "shard started",
		fields: func(e event.Event, _ string) []zap.Field {
			return []zap.Field{zap.Bool("resumed", e.Found), zap.String("position", string(e.Resume))}
		},
		hook: shardHook(func(h *Hooks) func(ShardEvent) { return h.Started }),
	},
	event.Failed: {
		count: func(e event.Event) func(*Counters) {
			panicked := panicOf(e.Err) != nil
			return func(c *Counters) {
				c.Failures++
				if panicked {
					c.Panics++
				}
			}
		},
		level: zap.ErrorLevel, message: "processor failed",
		fields: func(e event.Event, _ string) []zap.Field {
			return withStack(e.Err, zap.Error(e.Err), zap.Duration("retry", e.Retry))
		},
		hook: shardHook(func(h *Hooks) func(ShardEvent) { return h.Failed }),
	},
	event.Halted: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.Halted++ } },
		level: zap.ErrorLevel, message: "shard halted: it stays held and idle; mend the cause and restart the worker",
		fields: func(e event.Event, _ string) []zap.Field { return withStack(e.Err, zap.Error(e.Err)) },
		hook:   shardHook(func(h *Hooks) func(ShardEvent) { return h.Halted }),
	},
	event.Draining: {
		level: zap.InfoLevel, message: "shard draining",
		fields: func(e event.Event, _ string) []zap.Field { return []zap.Field{zap.NamedError("cause", e.Err)} },
		hook:   shardHook(func(h *Hooks) func(ShardEvent) { return h.Draining }),
	},
	event.Cancelled: {
		count: func(e event.Event) func(*Counters) {
			return func(c *Counters) {
				if e.Err != processor.ErrLeaseLost {
					c.DrainOverruns++
				}
			}
		},
		level: zap.WarnLevel, message: "shard cancelled",
		fields: func(e event.Event, _ string) []zap.Field { return []zap.Field{zap.NamedError("cause", e.Err)} },
		hook:   shardHook(func(h *Hooks) func(ShardEvent) { return h.Cancelled }),
	},
	event.Stopped: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.Stopped++ } },
		level: zap.InfoLevel, message: "shard stopped",
		fields: func(e event.Event, _ string) []zap.Field { return []zap.Field{zap.Stringer("outcome", e.Outcome)} },
		hook:   shardHook(func(h *Hooks) func(ShardEvent) { return h.Stopped }),
	},
	event.Stuck: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.Stuck++ } },
		level: zap.ErrorLevel, message: "processor is stuck: it ignores its cancelled context, and its shard stays reported as held",
		hook: shardHook(func(h *Hooks) func(ShardEvent) { return h.Stuck }),
	},
	event.Stalled: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.NoProgress++ } },
		level: zap.ErrorLevel, message: "processor makes no progress; its shard stays held",
		fields: func(e event.Event, member string) []zap.Field {
			fields := []zap.Field{zap.Duration("for", e.For), zap.Error(e.Err)}
			if e.Stacks {
				fields = append(fields, zap.ByteString("stacks", shardStacks(member, e.Lease)))
			}
			return fields
		},
		hook: shardHook(func(h *Hooks) func(ShardEvent) { return h.Stuck }),
	},
	event.Resumed: {
		level: zap.InfoLevel, message: "processor makes progress again",
		fields: func(e event.Event, _ string) []zap.Field { return []zap.Field{zap.Duration("after", e.For)} },
	},
	event.Committed: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.Commits++ } },
		level: zap.DebugLevel, message: "commit",
		fields: func(e event.Event, _ string) []zap.Field {
			return []zap.Field{zap.String("position", string(e.Commit.Position)), zap.Duration("took", e.Commit.Took)}
		},
		hook: commitHook,
	},
	event.CommitFailed: {
		count: func(e event.Event) func(*Counters) {
			fenced := errors.Is(e.Err, processor.ErrNotOwner)
			return func(c *Counters) {
				c.CommitsFailed++
				if fenced {
					c.CommitsFenced++
				}
			}
		},
		level: zap.WarnLevel, message: "commit failed",
		fields: func(e event.Event, _ string) []zap.Field { return []zap.Field{zap.Error(e.Err)} },
		hook:   commitHook,
	},
	event.CheckpointMoved: {
		level: zap.WarnLevel,
		message: "another process writes this shard's checkpoint: do two workers use the name of this member? " +
			"Config.MemberSuffix gives workers of one host different names",
		fields: func(e event.Event, _ string) []zap.Field {
			return []zap.Field{zap.String("wrote", string(e.Wrote)), zap.String("found", string(e.Stored))}
		},
	},
	event.PoisonGivenUp: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.Poison++ } },
		level: zap.WarnLevel, message: "poison given up",
		fields: func(e event.Event, _ string) []zap.Field {
			p := e.Poison
			return []zap.Field{
				zap.String("from", string(p.From)), zap.String("next", string(p.Next)), zap.Int("items", p.Items),
				zap.Int("attempts", p.Attempts), zap.Bool("dead_lettered", p.DeadLettered), zap.Error(p.Err),
			}
		},
		hook: func(h *Hooks, e event.Event, member string, at time.Time) func() {
			return call(h.Poisoned, PoisonEvent{Poison: e.Poison, Member: member, At: at, ID: e.Lease.ID, Epoch: e.Lease.Epoch})
		},
	},
	event.GapSkipped: {
		count: func(event.Event) func(*Counters) { return func(c *Counters) { c.Gaps++ } },
		level: zap.WarnLevel, message: "gap skipped",
		fields: func(e event.Event, _ string) []zap.Field {
			return []zap.Field{zap.String("lost", string(e.Gap.Lost)), zap.String("resumed", string(e.Gap.Resumed)), zap.Error(e.Gap.Err)}
		},
		hook: func(h *Hooks, e event.Event, member string, at time.Time) func() {
			return call(h.Gap, GapEvent{Gap: e.Gap, Member: member, At: at, ID: e.Lease.ID, Epoch: e.Lease.Epoch})
		},
	},
}

// hookCall returns the call of an event's hook, or nil if the hook is not set.
type hookCall func(h *Hooks, e event.Event, member string, at time.Time) func()

// shardHook is the hookCall of a hook that takes a ShardEvent.
func shardHook(of func(*Hooks) func(ShardEvent)) hookCall {
	return func(h *Hooks, e event.Event, member string, at time.Time) func() {
		return call(of(h), ShardEvent{
			Member: member, At: at, ID: e.Lease.ID, Epoch: e.Lease.Epoch, State: stateAfter(e),
			Err: e.Err, Resume: e.Resume, Retry: e.Retry, Outcome: e.Outcome,
		})
	}
}

// stateAfter returns ShardEvent.State.
func stateAfter(e event.Event) ShardState {
	switch e.Kind {
	case event.Assigned:
		return ShardStarting
	case event.Started:
		return ShardRunning
	case event.Failed:
		if e.Retry > 0 {
			return ShardRestarting
		}
	case event.Halted:
		return ShardHalted
	case event.Draining:
		return shardState(shardset.StateDraining, 0, e.Stuck)
	case event.Cancelled:
		return shardState(shardset.StateCancelled, 0, e.Stuck)
	case event.Stopped:
		if e.HeldAs == shardset.StateComplete || e.HeldAs == shardset.StateRestarting {
			return shardState(e.HeldAs, 0, false)
		}
	case event.Stuck, event.Stalled:
		return ShardStuck
	}
	return 0
}

func commitHook(h *Hooks, e event.Event, _ string, at time.Time) func() {
	return call(h.Commit, CommitEvent{Commit: e.Commit, At: at, Err: e.Err})
}

func call[E any](hook func(E), e E) func() {
	if hook == nil {
		return nil
	}
	return func() { hook(e) }
}

func panicOf(err error) *processor.PanicError {
	var p *processor.PanicError
	errors.As(err, &p)
	return p
}

// withStack adds the stack of err, if it is a panic.
func withStack(err error, fields ...zap.Field) []zap.Field {
	if p := panicOf(err); p != nil {
		fields = append(fields, zap.ByteString("stack", p.Stack))
	}
	return fields
}
