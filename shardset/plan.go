package shardset

import (
	"fmt"
	"slices"
	"time"
)

// Cause says why a shard has to stop.
type Cause uint8

const (
	// CauseRevoked: the service wants the shard for another member.
	CauseRevoked Cause = iota + 1
	// CauseLost: the lease is over; another member may hold the shard already.
	CauseLost
	// CauseShutdown: this member leaves.
	CauseShutdown
)

func (c Cause) String() string {
	switch c {
	case CauseRevoked:
		return "revoked"
	case CauseLost:
		return "lost"
	case CauseShutdown:
		return "shutdown"
	}
	return fmt.Sprintf("Cause(%d)", uint8(c))
}

// State is what a member's shard is doing, as the Tracker sees it.
type State uint8

const (
	// StateHeld: its processor runs under a valid lease.
	StateHeld State = iota + 1
	// StateDraining: revoked; the processor finishes what it has.
	StateDraining
	// StateCancelled: its context is cancelled, its goroutine has not returned.
	StateCancelled
	// StateRestarting: its processor failed for good; it is held, reported, and
	// started again after a pause.
	StateRestarting
	// StateComplete: its processor finished by itself. The shard stays held, so that
	// nobody repeats it, until the service takes it back. A closed shard that was
	// processed to its end and is granted on is started again after a while.
	StateComplete
)

func (s State) String() string {
	switch s {
	case StateHeld:
		return "held"
	case StateDraining:
		return "draining"
	case StateCancelled:
		return "cancelled"
	case StateRestarting:
		return "restarting"
	case StateComplete:
		return "complete"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Outcome is how a processor's goroutine returned.
type Outcome uint8

const (
	// OutcomeReleased: it was told to stop, and did.
	OutcomeReleased Outcome = iota + 1
	// OutcomeLost: the lease ended before it returned.
	OutcomeLost
	// OutcomeComplete: it finished by itself, without an error: its work is complete,
	// whatever becomes of the shard.
	OutcomeComplete
	// OutcomeClosed: it reached the end of a closed shard, which the service is to
	// take back.
	OutcomeClosed
	// OutcomeFenced: the service refused it as the owner.
	OutcomeFenced
	// OutcomeFailed: it cannot go on.
	OutcomeFailed
)

func (o Outcome) String() string {
	switch o {
	case OutcomeReleased:
		return "released"
	case OutcomeLost:
		return "lost"
	case OutcomeComplete:
		return "complete"
	case OutcomeClosed:
		return "closed"
	case OutcomeFenced:
		return "fenced"
	case OutcomeFailed:
		return "failed"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Stop tells the shell to stop one shard, and why.
type Stop struct {
	ID    ID
	Epoch uint64
	Cause Cause
}

// Plan is what the shell does after an event: all of it, in the order of the
// fields, and nothing else. Lists are sorted by shard. The zero Plan means: do
// nothing, ask again when something happens.
type Plan struct {
	// Cancel: cancel these contexts now, with their cause.
	Cancel []Stop
	// LeaseLost: the lease that all shards share is over and never comes back.
	// What starts from now on starts under a new one.
	LeaseLost bool
	// NotAfter, if set: the new end of the lease of everything held.
	NotAfter time.Time
	// Revoke: ask these processors to finish and return; contexts stay alive.
	Revoke []Stop
	// Start: run a fresh processor for each, after reading its checkpoint.
	Start []Lease
	// StillGranted names those of Start that were processed to their end, and that the
	// service goes on granting all the same. For the log.
	StillGranted []ID
	// Stuck: these ignored their cancelled context for StuckAfter. Told once.
	Stuck []ID
	// Beat: what the next heartbeat has to say has changed; send it now.
	Beat bool
	// WakeAt, if set: call Tick at that time, whatever happens before.
	WakeAt time.Time
	// Left: the member is leaving and every processor has returned.
	Left bool
	// Finished: the run is a finite one and this member has nothing left to do;
	// leave. Told once under a lease.
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
