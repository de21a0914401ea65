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
	// Reading is the place that the reading has come to, ahead of what was committed.
	Reading Position
	// Lag is how far the work is behind the end of the shard, in time. Negative: nobody
	// knows.
	Lag time.Duration
	// LagSince is when Lag was so, if it has grown with the clock since: nothing of what
	// was read then is acknowledged, or nothing was read since. The status adds the time
	// that has passed to Lag. Zero: Lag does not grow.
	LagSince time.Time
	// CaughtUp: the work has come to the end of what there is, and looks for more. A
	// processor that says so is idle, and is not reported as stuck.
	CaughtUp bool
	// Buffered is the bytes that were read and are not done with.
	Buffered int64
	// Trouble is why the work does not go on just now: a read that fails, or a batch.
	// Nil while it does.
	Trouble error
}

// Poison is a piece of a shard that was given up after it had failed.
type Poison struct {
	// From and Next are where it begins, and what comes after it.
	From, Next Position
	// Items is how many of them were given up.
	Items int
	// Attempts is how often they were tried.
	Attempts int
	// DeadLettered: they went elsewhere. Otherwise they were skipped.
	DeadLettered bool
	// Err is how the last attempt failed.
	Err error
}

// Gap is a hole in what a shard was read for: what had been there at Lost was gone,
// and the reading went on at Resumed. An empty Resumed means that the shard itself is
// gone, with what was left of it; an empty Lost that nothing of it had been read.
type Gap struct {
	Lost, Resumed Position
	// Err is how the source said so.
	Err error
}

// Activity is a call under way that a processor waits for: see Shard.Begin.
type Activity interface {
	// Progress is a sign of progress: a part of the call is done. It costs next to nothing.
	Progress()
	// End notes that the call has returned. Further calls do nothing.
	End()
}

// ReportProgress has the worker's status show p, until the next ReportProgress or the
// next call of Process. After Process has returned it does nothing.
func (s *Shard) ReportProgress(p Progress) {
	if s.enter() {
		defer s.calls.Done()
		s.host.ReportProgress(p)
	}
}

// ReportPoison has p counted, logged and passed to the hooks. After Process has returned
// it does nothing.
func (s *Shard) ReportPoison(p Poison) {
	if s.enter() {
		defer s.calls.Done()
		s.host.ReportPoison(p)
	}
}

// ReportGap has g counted, logged and passed to the hooks. After Process has returned it
// does nothing.
func (s *Shard) ReportGap(g Gap) {
	if s.enter() {
		defer s.calls.Done()
		s.host.ReportGap(g)
	}
}

// Begin notes that a call begins which may hang: "the handler", "Reader.Read". If it gives
// no sign for coordinator.Config.NoProgressAfter, the worker reports the processor as stuck.
// ctx is the context of the call: the report says if it has ended. Call End when the call
// returns.
//
// A processor that has called Begin is judged by its activities alone: with none under way
// it is idle, for however long. Package batch does this for the code that it calls.
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
