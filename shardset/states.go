package shardset

import "fmt"

// Cause says why a shard has to stop.
type Cause uint8

const (
	// CauseRevoked: the service wants the shard for another member.
	CauseRevoked Cause = iota + 1
	// CauseLost: the lease is lost; another member may hold the shard already.
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
	// StateRestarting: its processor failed for good, or was fenced; it starts again after
	// a pause.
	StateRestarting
	// StateComplete: its processor returned by itself with its work complete. The shard
	// stays held until the service revokes it, so that no other member repeats the work.
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
	// OutcomeReleased: it was asked to stop, and did.
	OutcomeReleased Outcome = iota + 1
	// OutcomeLost: the lease ended before it returned.
	OutcomeLost
	// OutcomeComplete: it returned by itself and without an error: its work is complete,
	// whether or not the shard gets more.
	OutcomeComplete
	// OutcomeClosed: it processed a closed shard to its end.
	OutcomeClosed
	// OutcomeFenced: the service refused it as the owner.
	OutcomeFenced
	// OutcomeFailed: it failed for good.
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
