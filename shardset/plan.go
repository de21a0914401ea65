package shardset

import (
	"slices"
	"time"
)

// Stop is a shard whose processor must stop, and why.
type Stop struct {
	ID    ID
	Epoch uint64
	Cause Cause
}

// Plan is what the caller of the Tracker does after an event. The caller applies all fields in
// their order, and starts or stops nothing else. Lists are sorted by shard. The zero Plan asks
// for nothing.
type Plan struct {
	// Cancel: cancel these contexts now, with their cause.
	Cancel []Stop
	// LeaseLost: the lease that all shards share is lost for good. Shards that start later start
	// under a new lease.
	LeaseLost bool
	// NotAfter, if set: the new end of the lease of all held shards.
	NotAfter time.Time
	// Revoke: ask these processors to finish and return. Do not cancel their contexts.
	Revoke []Stop
	// Start: run a fresh processor for each, after reading its checkpoint.
	Start []Lease
	// StillGranted lists the shards of Start that this member has already processed to their
	// end, and that the service still grants. For the log.
	StillGranted []ID
	// Stuck: report that these processors have ignored their cancelled contexts for
	// StuckAfter. Each is listed once.
	Stuck []ID
	// Beat: send a heartbeat now, because something changed: call Pacer.Wake.
	Beat bool
	// WakeAt, if set: call Tick at that time. It replaces the WakeAt of earlier plans.
	WakeAt time.Time
	// Left: the member may leave now. Every processor has returned, or the time to wait for them
	// is over.
	Left bool
	// Complete: the run is finite, and this member has no work left: leave. It is set at most once
	// under each lease.
	Complete bool
}

// finish sorts a plan, and sets WakeAt, Left and Complete.
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
