package shardset

import "fmt"

// Cause says why a shard has to stop.
type Cause uint8

const (
	// CauseRevoked: the service no longer assigns the shard to this member.
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

// State is the state of a shard that the member holds. The package comment has all transitions.
type State uint8

const (
	// StateHeld: its processor runs under a valid lease.
	StateHeld State = iota + 1
	// StateDraining: the shard is revoked, or the member leaves. Its processor finishes what it has.
	StateDraining
	// StateCancelled: its context is cancelled, but its goroutine has not returned.
	StateCancelled
	// StateRestarting: its processor failed, or was fenced. A new one starts after a pause.
	StateRestarting
	// StateComplete: its processor returned because its work is complete. The shard stays held
	// until the service revokes it, so that no other member repeats the work.
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
	// OutcomeReleased: it returned because it was asked to.
	OutcomeReleased Outcome = iota + 1
	// OutcomeLost: the lease ended before it returned.
	OutcomeLost
	// OutcomeComplete: it returned without being asked to, and without an error. Its work is
	// complete, although the shard may get more data.
	OutcomeComplete
	// OutcomeClosed: it processed a closed shard to its end.
	OutcomeClosed
	// OutcomeFenced: the store of checkpoints refused it, because it does not own the shard.
	OutcomeFenced
	// OutcomeFailed: it failed, and the caller does not retry it under this grant.
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
