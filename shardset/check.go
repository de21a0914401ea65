package shardset

import (
	"errors"
	"fmt"
	"slices"
)

// Check returns an error if an invariant of the Tracker is broken. Tests call it after every
// event. Its cost grows with the number of shards.
func (t *Tracker) Check() error {
	held := t.entries
	held.order = slices.Clone(held.order)
	held.sort() // the copy, so that the Tracker's own lists stay as they are
	for _, e := range held.order {
		if err := t.checkEntry(e); err != nil {
			return fmt.Errorf("shard %s is %s: %w", e.grant.ID, e.state, err)
		}
	}
	for _, err := range []error{t.checkLists(held), t.checkTimed(), t.checkDiff(held), t.checkCompletion()} {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkLists checks the lists that a heartbeat carries.
func (t *Tracker) checkLists(held entryTable) error {
	if t.entries.len() != len(held.order) {
		return fmt.Errorf("%d shards are held, but %d are counted", len(held.order), t.entries.len())
	}
	if !t.entries.stale && !slices.Equal(t.entries.held, held.held) {
		return fmt.Errorf("%v are held, but %v are reported", held.held, t.entries.held)
	}
	var complete []ID
	for _, e := range held.order {
		if e.state == StateComplete {
			complete = append(complete, e.grant.ID)
		}
	}
	if len(complete) != t.entries.completeCount {
		return fmt.Errorf("%v are complete, but %d are counted", complete, t.entries.completeCount)
	}
	if !t.entries.stale && !t.entries.completeStale && !slices.Equal(t.entries.completeIDs, complete) {
		return fmt.Errorf("%v are complete, but %v are reported", complete, t.entries.completeIDs)
	}
	return nil
}

func (t *Tracker) checkEntry(e *entry) error {
	if t.entries.get(e.grant.ID) != e {
		return errors.New("the table does not find it by its ID")
	}
	timed := e.slot != 0
	switch e.state {
	case StateHeld, StateComplete:
		switch {
		case timed:
			return errors.New("something is due")
		case e.cause != 0:
			return fmt.Errorf("it has the cause %s", e.cause)
		case t.deadline.IsZero():
			return errors.New("there is no lease")
		case t.leaving:
			return errors.New("the member leaves")
		}
	case StateDraining:
		if !timed || e.cause != CauseRevoked && e.cause != CauseShutdown {
			return fmt.Errorf("its cause is %s, something is due: %v", e.cause, timed)
		}
	case StateCancelled:
		if e.cause == 0 {
			return errors.New("it has no cause")
		}
	case StateRestarting:
		if !timed {
			return errors.New("it never starts")
		}
	default:
		return errors.New("there is no such state")
	}
	if !e.recheckAt.IsZero() && (e.state != StateComplete || t.recheckAt.IsZero() || e.recheckAt.Before(t.recheckAt)) {
		return fmt.Errorf("it may start again at %v, but the Tracker checks at %v", e.recheckAt, t.recheckAt)
	}
	return nil
}

// checkTimed checks that the Tracker wakes for everything that is due.
func (t *Tracker) checkTimed() error {
	for i, e := range t.timed {
		id := e.grant.ID
		if t.entries.get(id) != e || e.slot != i+1 {
			return fmt.Errorf("shard %s is due, but is not held, or its slot is not %d but %d", id, i+1, e.slot)
		}
		if t.timedAt.IsZero() || e.due.Before(t.timedAt) {
			return fmt.Errorf("shard %s is due at %v, but the Tracker wakes at %v", id, e.due, t.timedAt)
		}
	}
	return nil
}

// checkDiff checks that diffDue is set if a shard is assigned but not held.
func (t *Tracker) checkDiff(held entryTable) error {
	if t.diffDue || t.leaving {
		return nil
	}
	if d := diff(held.order, t.assigned); len(d.start) > 0 {
		return fmt.Errorf("%v and %d more are assigned but not held, and no answer will start them", *d.start[0], len(d.start)-1)
	}
	return nil
}

// checkCompletion checks what the Tracker knows about the end of a finite run.
func (t *Tracker) checkCompletion() error {
	switch {
	case !t.cfg.Finite && t.completion.reported:
		return errors.New("the run is complete, but not finite")
	case !t.cfg.Finite || t.leaving:
		return nil
	case t.nothingToDo() == t.completion.idleSince.IsZero():
		return fmt.Errorf("nothing to do: %v, idle since: %v", t.nothingToDo(), t.completion.idleSince)
	}
	return nil
}
