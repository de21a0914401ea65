package shardset

import (
	"fmt"
	"slices"
)

// Check verifies what must be true of a Tracker between two events, and says what
// is not. Tests call it after every step; it costs a walk over all shards.
func (t *Tracker) Check() error {
	if err := t.checkDone(); err != nil {
		return err
	}
	for id, e := range t.entries.all() {
		if e.grant.ID != id {
			return fmt.Errorf("entry %s is filed under %s", e.grant.ID, id)
		}
		moving := e.slot != 0
		switch e.state {
		case StateHeld, StateComplete:
			if moving {
				return fmt.Errorf("shard %s is %s and yet has something due", id, e.state)
			}
			if e.cause != 0 {
				return fmt.Errorf("shard %s is %s with the cause %s", id, e.state, e.cause)
			}
			if t.deadline.IsZero() {
				return fmt.Errorf("shard %s is %s without a lease", id, e.state)
			}
			if t.leaving {
				return fmt.Errorf("shard %s is %s in a leaving member", id, e.state)
			}
		case StateDraining:
			if !moving || e.cause != CauseRevoked && e.cause != CauseShutdown {
				return fmt.Errorf("shard %s drains with cause %s, due %v", id, e.cause, moving)
			}
		case StateCancelled:
			if e.cause == 0 {
				return fmt.Errorf("shard %s is cancelled without a cause", id)
			}
		case StateRestarting:
			if !moving {
				return fmt.Errorf("shard %s cools for ever", id)
			}
		default:
			return fmt.Errorf("shard %s has the state %s", id, e.state)
		}
	}
	for i, e := range t.moving {
		id := e.grant.ID
		if t.entries.get(id) != e || e.slot != i+1 {
			return fmt.Errorf("shard %s is due and not held, or not in slot %d but %d", id, i+1, e.slot)
		}
		if t.moveAt.IsZero() || e.due.Before(t.moveAt) {
			return fmt.Errorf("shard %s is due at %v and nobody wakes for it", id, e.due)
		}
	}
	for id := range t.missing {
		if !t.leaving && !t.wants(id) {
			return fmt.Errorf("shard %s is missing and not wanted", id)
		}
	}
	for _, g := range t.want {
		_, missing := t.missing[g.ID]
		if t.entries.get(g.ID) == nil && !missing && !t.leaving {
			return fmt.Errorf("shard %s is wanted, does not run, and is not missing", g.ID)
		}
	}
	return nil
}

// checkDone verifies what the Tracker knows of the shards that are done, and of the
// end of a finite run.
func (t *Tracker) checkDone() error {
	done := 0
	for id, e := range t.entries.all() {
		if e.state == StateComplete {
			done++
		}
		if !e.againAt.IsZero() && (e.state != StateComplete || t.againAt.IsZero() || e.againAt.Before(t.againAt)) {
			return fmt.Errorf("shard %s is %s, to be started again at %v, and nobody looks before %v", id, e.state, e.againAt, t.againAt)
		}
	}
	if done != t.doneCount {
		return fmt.Errorf("%d shards are done, and %d are counted", done, t.doneCount)
	}
	if !t.heldDirty && !t.doneDirty {
		for _, id := range t.done {
			if e := t.entries.get(id); e == nil || e.state != StateComplete {
				return fmt.Errorf("shard %s is reported as done and is not", id)
			}
		}
		if len(t.done) != done || !slices.IsSortedFunc(t.done, ID.Compare) {
			return fmt.Errorf("%d shards are done, and %v are reported", done, t.done)
		}
	}
	switch {
	case !t.cfg.Finite && t.ending.told:
		return fmt.Errorf("the run is not finite and has finished")
	case !t.cfg.Finite || t.leaving:
		return nil
	case t.nothingToDo() == t.ending.since.IsZero():
		return fmt.Errorf("nothing to do: %v, since %v", t.nothingToDo(), t.ending.since)
	}
	return nil
}
