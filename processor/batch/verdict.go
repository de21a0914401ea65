package batch

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Verdict says what becomes of a batch that failed.
type Verdict uint8

const (
	// VerdictDefault leaves it to the bounds: see Options.OnError.
	VerdictDefault Verdict = iota
	// VerdictRetry tries it again after a pause; when the shard has to go, the next owner
	// does. When the bounds are used up it means VerdictDefault.
	VerdictRetry
	// VerdictSkip gives it up. It counts as acknowledged, and as poison. When the shard
	// has to go it means VerdictRetry, as VerdictDeadLetter does: the failure may come
	// from that.
	VerdictSkip
	// VerdictDeadLetter gives it to Options.DeadLetter, all of it. Without one it means
	// VerdictStopShard.
	VerdictDeadLetter
	// VerdictStopShard halts the shard: nothing more of it is handled, it stays held
	// and visible.
	VerdictStopShard
	// VerdictStopGroup ends the worker: Run returns the error. The shard's next owner
	// will come to the same verdict.
	VerdictStopGroup
)

func (v Verdict) String() string {
	switch v {
	case VerdictDefault:
		return "default"
	case VerdictRetry:
		return "retry"
	case VerdictSkip:
		return "skip"
	case VerdictDeadLetter:
		return "dead-letter"
	case VerdictStopShard:
		return "stop shard"
	case VerdictStopGroup:
		return "stop group"
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Failure is a batch that failed.
type Failure struct {
	Lease shardset.Lease
	// From and Next are where the batch begins, and what comes after it.
	From, Next processor.Position
	// Items is how many are not acknowledged.
	Items int
	// Attempt counts from 1.
	Attempt int
	// Elapsed is the time since the first attempt began.
	Elapsed time.Duration
	// Exhausted: the bounds allow no further attempt at the batch as it is.
	Exhausted bool
	// Err is what the attempt returned, a *processor.PanicError if it panicked, or
	// the cause of its context if that ended. For an item that was given up it is what
	// GiveUp was told.
	Err error
}

// decide turns what was said about a failure into what is done. The result is never
// VerdictDefault.
func decide(f Failure, said Verdict, deadLetter bool) Verdict {
	if v := ownVerdict(f.Err); v != VerdictDefault {
		return v
	}
	if said == VerdictDefault || said == VerdictRetry || said > VerdictStopGroup {
		said = VerdictRetry
		if f.Exhausted {
			said = VerdictDeadLetter
		}
	}
	if said == VerdictDeadLetter && !deadLetter {
		return VerdictStopShard
	}
	return said
}

// ownVerdict returns the verdict that err is, made with processor.Fatal or
// processor.Halt; VerdictDefault if it is none. Fatal is the stronger one.
func ownVerdict(err error) Verdict {
	switch {
	case processor.IsFatal(err):
		return VerdictStopGroup
	case processor.IsHalt(err):
		return VerdictStopShard
	}
	return VerdictDefault
}

// marked reports whether err is a verdict of its own.
func marked(err error) bool { return ownVerdict(err) != VerdictDefault }

// exhausted reports whether the bounds allow no attempt after this one, which would
// begin after the pause.
func exhausted(attempt, attempts int, elapsed, pause, bound time.Duration) bool {
	return attempts > 0 && attempt >= attempts || bound > 0 && elapsed+pause > bound
}
