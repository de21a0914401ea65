package runner_test

import (
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// reports has a function for each kind of event that a run reports. Nil ones are not called.
type reports struct {
	Started   func(l shardset.Lease, resume processor.Position, found bool)
	Failed    func(l shardset.Lease, err error, pause time.Duration)
	Halted    func(l shardset.Lease, err error)
	Committed func(c processor.Commit, err error)
	Moved     func(l shardset.Lease, wrote, found processor.Position)
	Poisoned  func(l shardset.Lease, p processor.Poison)
	Skipped   func(l shardset.Lease, g processor.Gap)
}

func (o *reports) report(e event.Event) {
	switch {
	case e.Kind == event.Started && o.Started != nil:
		o.Started(e.Lease, e.Resume, e.Found)
	case e.Kind == event.Failed && o.Failed != nil:
		o.Failed(e.Lease, e.Err, e.Retry)
	case e.Kind == event.Halted && o.Halted != nil:
		o.Halted(e.Lease, e.Err)
	case (e.Kind == event.Committed || e.Kind == event.CommitFailed) && o.Committed != nil:
		o.Committed(e.Commit, e.Err)
	case e.Kind == event.CheckpointMoved && o.Moved != nil:
		o.Moved(e.Lease, e.Wrote, e.Stored)
	case e.Kind == event.PoisonGivenUp && o.Poisoned != nil:
		o.Poisoned(e.Lease, e.Poison)
	case e.Kind == event.GapSkipped && o.Skipped != nil:
		o.Skipped(e.Lease, e.Gap)
	}
}
