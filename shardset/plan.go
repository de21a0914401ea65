package shardset

import (
	"slices"
	"time"
)

// Stop is a shard that the shell stops, and why.
type Stop struct {
	ID    ID
	Epoch uint64
	Cause Cause
}

// Plan is what the shell does after an event: all of it, in the order of the
// fields, and nothing else. Lists are sorted by shard. The zero Plan asks for nothing.
type Plan struct {
	// Cancel: cancel these contexts now, with their cause.
	Cancel []Stop
	// LeaseLost: the lease that all shards share is lost for good. What starts from now on
	// starts under a new one.
	LeaseLost bool
	// NotAfter, if set: the new end of the lease of all held shards.
	NotAfter time.Time
	// Revoke: ask these processors to finish and return; contexts stay alive.
	Revoke []Stop
	// Start: run a fresh processor for each, after reading its checkpoint.
	Start []Lease
	// StillGranted lists those of Start that were processed to their end and that the
	// service still grants. For the log.
	StillGranted []ID
	// Stuck: these processors have ignored their cancelled contexts for StuckAfter. A shard
	// is listed once.
	Stuck []ID
	// Beat: send a heartbeat now, because it has news.
	Beat bool
	// WakeAt, if set: call Tick at that time, whatever happens before.
	WakeAt time.Time
	// Left: the member is leaving, and every processor has returned or is stuck past its
	// drain.
	Left bool
	// Complete: the run is finite and this member has nothing left to do: leave. Set once
	// under a lease.
	Complete bool
}

// finish gives a plan its order, its next wake-up, and what it says about leaving.
func (t *Tracker) finish(now time.Time, p Plan) Plan {
	sortStops(p.Cancel)
	sortStops(p.Revoke)
	slices.SortFunc(p.Start, func(a, b Lease) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(p.Stuck, ID.Compare)
	slices.SortFunc(p.StillGranted, ID.Compare)
	p.WakeAt = earliest(t.deadline, t.timedAt)
	if t.leaving {
		p.WakeAt = earliest(p.WakeAt, t.leaveUntil)
		p.Beat = p.Beat && t.cfg.CanLeave && !t.deadline.IsZero()
		p.Left = t.entries.len() == 0 || !now.Before(t.leaveUntil)
		return p
	}
	t.decideCompletion(now, &p)
	return p
}

func sortStops(stops []Stop) {
	slices.SortFunc(stops, func(a, b Stop) int { return a.ID.Compare(b.ID) })
}
