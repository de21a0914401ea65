package processor

import (
	"context"
	"time"
)

// Progress is what a processor reports about its work, for the worker's status. The zero
// value says nothing.
type Progress struct {
	// Batches, Items and Bytes were handled since Process was called.
	Batches, Items, Bytes int64
	// Retries is how often something was handled again after an error.
	Retries int64
	// Reading is the position up to which the processor has read, ahead of what it has
	// committed.
	Reading Position
	// Lag is how far the work is behind the end of the shard, in time. Negative: unknown.
	Lag time.Duration
	// LagSince is when Lag was measured, if the lag has grown with the clock since. The
	// status then adds the time since LagSince to Lag. Zero: Lag does not grow.
	LagSince time.Time
	// CaughtUp: the processor has read to the end of the shard and waits for more. It is
	// idle, and is not reported as stuck.
	CaughtUp bool
	// Buffered is the number of bytes that were read and are still in memory.
	Buffered int64
	// Trouble is why the work does not go on at the moment: the error of a read or of a
	// batch that is tried again. Nil while the work goes on.
	Trouble error
}

// Poison is a part of a shard that a processor gave up after it had failed.
type Poison struct {
	// From is where the part begins, and Next is the position after it.
	From, Next Position
	// Items is how many items were given up.
	Items int
	// Attempts is how often they were tried.
	Attempts int
	// DeadLettered: the items were stored elsewhere. Otherwise they were skipped.
	DeadLettered bool
	// Err is the error of the last attempt.
	Err error
}

// Gap is a part of a shard that was gone before the processor had read it, for instance
// because the log keeps its records too short a time.
type Gap struct {
	// Lost is the position that could not be read any more. Empty: nothing of the shard had
	// been read.
	Lost Position
	// Resumed is the position at which reading went on. Empty: the shard itself is gone.
	Resumed Position
	// Err is the error of the source.
	Err error
}

// Activity is a call that a processor waits for: see Shard.Begin.
type Activity interface {
	// Progress is a sign of progress: a part of the call is done. It costs a few
	// nanoseconds, so call it as often as you like.
	Progress()
	// End says that the call has returned. Further calls do nothing.
	End()
}

// ReportProgress shows p in the worker's status, until the next ReportProgress or the next
// call of Process. After Process has returned it does nothing.
func (s *Shard) ReportProgress(p Progress) {
	if s.enter() {
		defer s.calls.Done()
		s.host.ReportProgress(p)
	}
}

// ReportPoison counts and logs p, and passes it to the worker's hooks. After Process has
// returned it does nothing.
func (s *Shard) ReportPoison(p Poison) {
	if s.enter() {
		defer s.calls.Done()
		s.host.ReportPoison(p)
	}
}

// ReportGap counts and logs g, and passes it to the worker's hooks. After Process has
// returned it does nothing.
func (s *Shard) ReportGap(g Gap) {
	if s.enter() {
		defer s.calls.Done()
		s.host.ReportGap(g)
	}
}

// Begin says that a call begins that may hang. what names the call in the log: "the
// handler", "Reader.Read". If the call makes no progress for
// coordinator.Config.NoProgressAfter, the worker reports the processor as stuck. ctx is the
// context of the call; the worker also reports if it has ended. Call End when the call
// returns.
//
// Once a Process has called Begin, only its activities count: without one it is idle, however
// long. Package batch calls Begin for the code that it calls.
func (s *Shard) Begin(ctx context.Context, what string) Activity {
	if !s.enter() {
		return ended{}
	}
	defer s.calls.Done()
	return s.host.Begin(ctx, what)
}

// ended is the Activity of a Process that has returned.
type ended struct{}

func (ended) Progress() {}
func (ended) End()      {}
