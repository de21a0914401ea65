package batch

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Action is what the loop does with a batch that failed. Once the shard is revoked, the action that
// OnError returns does not count: the next owner handles the batch, because the revocation may be the
// reason for the failure.
type Action uint8

const (
	// ActionRetry tries the batch again after a pause, as often as Options.Attempts and
	// Options.Elapsed allow. After the last attempt, the bad items go to Options.DeadLetter;
	// without a DeadLetter, the shard is halted. An unknown value means ActionRetry.
	ActionRetry Action = iota
	// ActionSkip acknowledges the batch without another attempt, and reports it as poison.
	ActionSkip
	// ActionDeadLetter passes the whole batch to Options.DeadLetter. Without a DeadLetter it
	// means ActionHalt.
	ActionDeadLetter
	// ActionHalt halts the shard: the handler gets no more of its batches, the shard stays held, and
	// its status shows the error.
	ActionHalt
	// ActionFatal ends the worker: coordinator.Run returns the error. The next owner of the
	// shard gets the same batch.
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
	// Items is the number of items that are not acknowledged.
	Items int
	// Attempt counts from 1.
	Attempt int
	// Elapsed is the time since the first attempt began.
	Elapsed time.Duration
	// Exhausted says that Options.Attempts and Options.Elapsed allow no further attempt at the
	// batch as a whole.
	Exhausted bool
	// Err is the error that the handler returned. If the handler panicked, Err is a
	// *processor.PanicError. If the context ended, Err is its cause. After GiveUp, Err is the error
	// passed to GiveUp.
	Err error
}

// decide returns the action for a failure. chosen is the result of OnError.
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

// actionOf returns ActionFatal or ActionHalt for an error made with processor.Fatal or
// processor.Halt. ok is false for any other error. If both were used, Fatal counts.
func actionOf(err error) (a Action, ok bool) {
	switch {
	case processor.IsFatal(err):
		return ActionFatal, true
	case processor.IsHalt(err):
		return ActionHalt, true
	}
	return 0, false
}

// haltOrFatal reports whether err was made with processor.Fatal or processor.Halt.
func haltOrFatal(err error) bool {
	_, ok := actionOf(err)
	return ok
}

// exhausted reports whether the bounds allow no further attempt. The next attempt would begin after the
// pause.
func exhausted(attempt, attempts int, elapsed, pause, bound time.Duration) bool {
	return attempts > 0 && attempt >= attempts || bound > 0 && elapsed+pause > bound
}
