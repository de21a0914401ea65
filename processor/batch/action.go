package batch

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Action is what the loop does with a batch that failed.
type Action uint8

const (
	// ActionRetry tries the batch again after a pause, as often as Options.Attempts and
	// Options.Elapsed allow. Then it gives the bad items to Options.DeadLetter, or halts the
	// shard if there is none. If the shard is revoked, the next owner tries the batch again. An
	// unknown value means ActionRetry.
	ActionRetry Action = iota
	// ActionSkip counts the batch as acknowledged, and as poison. If the shard is revoked
	// it means ActionRetry, and so does ActionDeadLetter: the revocation may be the reason
	// for the failure.
	ActionSkip
	// ActionDeadLetter gives the whole batch to Options.DeadLetter. Without a DeadLetter it
	// means ActionHalt.
	ActionDeadLetter
	// ActionHalt halts the shard: no more of it is handled, it stays held, and its status shows
	// the error.
	ActionHalt
	// ActionFatal ends the worker: coordinator.Run returns the error. The shard's next owner
	// meets the same batch.
	ActionFatal
)

func (a Action) String() string {
	switch a {
	case ActionRetry:
		return "retry"
	case ActionSkip:
		return "skip"
	case ActionDeadLetter:
		return "dead-letter"
	case ActionHalt:
		return "halt"
	case ActionFatal:
		return "fatal"
	}
	return fmt.Sprintf("Action(%d)", uint8(a))
}

// Failure is a failed attempt at a batch.
type Failure struct {
	Lease shardset.Lease
	// From is the position where the read of the batch began, and Next the position after it.
	From, Next processor.Position
	// Items is how many items are not acknowledged.
	Items int
	// Attempt counts from 1.
	Attempt int
	// Elapsed is the time since the first attempt began.
	Elapsed time.Duration
	// Exhausted says that Options.Attempts and Options.Elapsed allow no further attempt at the
	// batch as a whole.
	Exhausted bool
	// Err is the result of the handler, a *processor.PanicError if it panicked, or the cause of
	// its context if that ended. For an item that was given up, it is the argument of GiveUp.
	Err error
}

// decide returns the action for a failure. chosen is what OnError returned.
func decide(f Failure, chosen Action, deadLetter bool) Action {
	if own, ok := actionOf(f.Err); ok {
		return own
	}
	if chosen == ActionRetry || chosen > ActionFatal {
		chosen = ActionRetry
		if f.Exhausted {
			chosen = ActionDeadLetter
		}
	}
	if chosen == ActionDeadLetter && !deadLetter {
		return ActionHalt
	}
	return chosen
}

// actionOf returns the action that an error made with processor.Fatal or processor.Halt
// demands, and whether it is such an error. Fatal is the stronger one.
func actionOf(err error) (a Action, ok bool) {
	switch {
	case processor.IsFatal(err):
		return ActionFatal, true
	case processor.IsHalt(err):
		return ActionHalt, true
	}
	return 0, false
}

// marked reports whether err was made with processor.Fatal or processor.Halt.
func haltOrFatal(err error) bool {
	_, ok := actionOf(err)
	return ok
}

// exhausted reports whether the bounds forbid a next attempt, which would begin after the pause.
func exhausted(attempt, attempts int, elapsed, pause, bound time.Duration) bool {
	return attempts > 0 && attempt >= attempts || bound > 0 && elapsed+pause > bound
}
