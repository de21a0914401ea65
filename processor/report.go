package processor

import (
	"context"
	"time"
)

// Progress is what a processor reports about its work, for the worker's status. The status
// shows the zero value before the first report.
type Progress struct {
	// Batches, Items and Bytes count what was handled since Process was called.
	Batches, Items, Bytes int64
	// Retries counts the attempts to handle something again after an error.
	Retries int64
	// Reading is the position up to which the processor has read. It may be ahead of the
	// last commit.
	Reading Position
	// Lag is how far the work is behind the end of the shard, in time. Negative means unknown.
	Lag time.Duration
	// LagSince is when Lag was measured. The status adds the time since then to Lag, so set
	// LagSince if the lag grows with the clock. Zero: the status shows Lag as it is.
	LagSince time.Time
	// CaughtUp is true if the processor has read to the end of the shard and waits for more
	// data. Until the next report it is then idle, and the worker does not report it as stuck.
	CaughtUp bool
	// Buffered is the number of bytes that were read and are still in memory.
	Buffered int64
	// Trouble is the error of the read or of the batch that the processor is retrying. Nil
	// means that it is not retrying anything.
	Trouble error
}

// Poison is a part of a shard that a processor gave up because it could not handle it.
type Poison struct {
	// From is the position of the part, and Next is the position after it.
	From, Next Position
	// Items is the number of items that the processor gave up.
	Items int
	// Attempts is how often the processor tried to handle them.
	Attempts int
	// DeadLettered is true if the items were stored elsewhere. Otherwise they were skipped.
	DeadLettered bool
	// Err is the error of the last attempt.
	Err error
}

// Gap is a part of a shard that was deleted before the processor could read it, for example
// because the retention time of the log is too short.
type Gap struct {
	// Lost is the position that can no longer be read. It is empty if nothing of the shard
	// had been read.
	Lost Position
	// Resumed is the position at which the processor continues. It is empty if the whole
	// shard was deleted.
	Resumed Position
	// Err is the error of the source.
	Err error
}

// Activity is a call that the worker watches, because it may hang: see Shard.Begin.
type Activity interface {
	// Progress gives a sign of progress: the call still runs, and does not hang. It costs a
	// few nanoseconds, so call it as often as you like.
	Progress()
	// End tells the worker that the call has returned. Calls after the first do nothing.
	End()
}

// ReportProgress shows p in the worker's status until the next ReportProgress or the next call
// of Process. After Process has returned it does nothing.
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

// Begin tells the worker that Process begins a call that may hang. what names the call in the
// log: "the handler", "Reader.Read". ctx is the context of the call. If the call neither ends
// nor gives a sign of progress for coordinator.Config.NoProgressAfter, the worker reports the
// processor as stuck. The report says whether ctx has ended. Call End of the Activity when the
// call returns.
//
// After the first Begin, Process counts as idle, without a time limit, whenever it has no open
// Activity. Package batch calls Begin for all user code that it calls.
func (s *Shard) Begin(ctx context.Context, what string) Activity {
	if !s.enter() {
		return ended{}
	}
	defer s.calls.Done()
	return s.host.Begin(ctx, what)
}

// ended is an Activity of a Process that has returned.
type ended struct{}

func (ended) Progress() {}
func (ended) End()      {}
