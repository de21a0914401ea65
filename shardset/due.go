package shardset

import (
	"slices"
	"time"
)

// tick does what is due at now. Each event begins with it, and ends with finish.
func (t *Tracker) tick(now time.Time) Plan {
	var p Plan
	if !t.deadline.IsZero() && !before(now, t.deadline) {
		t.loseLease(now, &p)
	}
	if t.timedAt.IsZero() || now.Before(t.timedAt) {
		return p
	}
	t.timedAt = time.Time{}
	for _, e := range slices.Backward(t.timed) { // backward, because unschedule moves the last entry into the free slot
		if now.Before(e.due) {
			t.wakeBy(e.due)
			continue
		}
		switch e.state {
		case StateDraining:
			t.stop(now, e, StateCancelled, e.cause, &p)
		case StateCancelled:
			t.unschedule(e)
			p.Stuck = append(p.Stuck, e.grant.ID)
		case StateRestarting:
			t.unschedule(e)
			t.start(now, e, &p)
		}
	}
	return p
}

// stop changes the state of an entry to draining or cancelled, and adds this to the plan.
func (t *Tracker) stop(now time.Time, e *entry, to State, why Cause, p *Plan) {
	s := Stop{ID: e.grant.ID, Epoch: e.epoch, Cause: why}
	if i := slices.IndexFunc(p.Start, func(l Lease) bool { return l.ID == s.ID }); i >= 0 {
		// This event would have started the shard. No processor runs yet, so none has to stop.
		p.Start = slices.Delete(p.Start, i, i+1)
		t.remove(e)
		p.Beat = true
		return
	}
	e.cause, e.since = why, now
	if to == StateDraining {
		p.Revoke = append(p.Revoke, s)
		t.schedule(e, StateDraining, now.Add(t.cfg.DrainTimeout))
		return
	}
	p.Cancel = append(p.Cancel, s)
	t.schedule(e, StateCancelled, now.Add(t.cfg.StuckAfter))
}

// schedule sets a state that lasts until due.
func (t *Tracker) schedule(e *entry, s State, due time.Time) {
	e.state, e.due = s, due
	if e.slot == 0 {
		t.timed = append(t.timed, e)
		e.slot = len(t.timed)
	}
	t.wakeBy(due)
}

// unschedule cancels what is due for an entry.
func (t *Tracker) unschedule(e *entry) {
	if e.slot == 0 {
		return
	}
	end := len(t.timed) - 1
	last := t.timed[end]
	t.timed[e.slot-1], last.slot = last, e.slot
	t.timed[end] = nil
	t.timed, e.slot = t.timed[:end], 0
}

// wakeBy makes the Tracker check its timed entries at due or earlier.
func (t *Tracker) wakeBy(due time.Time) {
	if t.timedAt.IsZero() || due.Before(t.timedAt) {
		t.timedAt = due
	}
}

// earliest returns the earlier of two times. Zero means no time.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
