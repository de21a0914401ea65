package shardset

import (
	"math"
	"slices"
	"time"
)

// Tick is the event of time passing: a lease that ended, a drain that took too
// long, a shard that has cooled.
func (t *Tracker) Tick(now time.Time) Plan { return t.finish(now, t.tick(now)) }

// Failed is the event of a heartbeat that got no answer worth obeying. The lease
// goes on until its end: failing once is not losing.
func (t *Tracker) Failed(now time.Time) Plan { return t.finish(now, t.tick(now)) }

// Refused is the event of a heartbeat that was refused for a reason that may pass, such
// as credentials that are about to be replaced. The member tries again while its lease
// lasts; without a lease it tries for one TTL. After that the second result is true: the
// refusal is final.
func (t *Tracker) Refused(now time.Time) (Plan, bool) {
	p := t.tick(now)
	switch {
	case !t.patience.IsZero():
	case !t.deadline.IsZero():
		t.patience = t.deadline
	case t.ttl > 0:
		t.patience = now.Add(t.ttl)
	default:
		t.patience = now.Add(t.cfg.TTL)
	}
	return t.finish(now, p), !before(now, t.patience)
}

// LeaseLost is the event of the lease having been seen to end by somebody with a later
// clock reading than ours, a processor about to commit for instance. Expiry is a
// latch, so the Tracker follows.
func (t *Tracker) LeaseLost(now time.Time) Plan {
	p := t.tick(now)
	if !t.deadline.IsZero() { // else it has lapsed, and a new one may be under way
		t.lapse(now, &p)
	}
	return t.finish(now, p)
}

// Evicted is the event of the service saying, to heartbeat seq, that it does not
// know this member: all leases are over now, and the next heartbeat joins with an
// empty list, because a service takes nothing else from a stranger. Anything but
// the newest heartbeat's outcome is ignored.
func (t *Tracker) Evicted(now time.Time, seq uint64) Plan {
	p := t.tick(now)
	if seq == t.seq && seq > t.barrier {
		t.patience = time.Time{}
		t.lapse(now, &p)
		t.joinEmpty = true
	}
	return t.finish(now, p)
}

// instanceStep is how far a process that comes too late, by its clock, jumps ahead of
// the instance that has its name. It is more than the ones that a Tracker adds at the
// end of each lease: the other one must not arrive at the same number and with it at
// the same fencing token.
const instanceStep = 1 << 20

// jump returns an instance that is at least one step above newest and has the low bits of
// own. A process chooses those by chance: two processes that jump past the same instance
// must not reach the same number, which would give both the same fencing token.
func jump(own, newest uint64) uint64 {
	return newest - newest%instanceStep + 2*instanceStep + own%instanceStep
}

// Replaced is the event of the service saying, to heartbeat seq, that instance
// newest has this member's name. A process that never joined takes a larger number
// and tries again: its own clock was behind. One that had joined is over, and the
// second result is true.
func (t *Tracker) Replaced(now time.Time, seq, newest uint64) (Plan, bool) {
	p := t.tick(now)
	if seq != t.seq || seq <= t.barrier {
		return t.finish(now, p), false
	}
	if !t.joined && newest <= math.MaxUint64-3*instanceStep {
		t.instance = jump(t.instance, newest)
		t.barrier = t.seq
		p.Beat = true
		return t.finish(now, p), false
	}
	t.lapse(now, &p)
	p.Beat = false
	return t.finish(now, p), true
}

// Returned is the event of a shard's processor goroutine having returned, with its
// last commit settled. Only now does the shard leave the list.
func (t *Tracker) Returned(now time.Time, id ID, o Outcome) Plan {
	p := t.tick(now)
	e := t.entries.get(id)
	if e == nil || e.state == StateRestarting || e.state == StateComplete {
		return t.finish(now, p) // nothing runs
	}
	stopping := e.state == StateDraining || e.state == StateCancelled
	if o == OutcomeClosed && e.cause != CauseLost {
		t.ended[id] = t.seq + 1
		t.ending.worked = true
		p.Beat = true
	}
	switch {
	case !stopping && (o == OutcomeComplete || o == OutcomeClosed) && !t.leaving:
		if o == OutcomeClosed {
			t.doubtEnd(now, e)
		}
		e.state, e.since = StateComplete, now
		t.doneCount++
		t.doneDirty, t.ending.worked = true, true
		p.Beat = p.Beat || t.cfg.Finite || t.cfg.Completion // else nobody counts it
		return t.finish(now, p)
	case !stopping && o == OutcomeFailed && !t.leaving:
		e.since = now
		t.schedule(e, StateRestarting, now.Add(t.cfg.RestartPause))
		return t.finish(now, p)
	case o == OutcomeFenced:
		t.holdoff[id] = now.Add(t.cfg.RestartPause)
	}
	t.remove(id)
	t.gone[id] = t.seq
	if t.wants(id) {
		t.missing[id] = t.seq
	}
	t.settledAt = now.Add(unsettledIntervals * t.interval)
	p.Beat = true
	return t.finish(now, p)
}

// Leave is the event of the member being asked to leave: it takes nothing new and
// drains everything in parallel. Heartbeats go on until Plan.Left.
func (t *Tracker) Leave(now time.Time) Plan {
	p := t.tick(now)
	if t.leaving {
		return t.finish(now, p)
	}
	t.leaving = true
	t.leaveUntil = now.Add(t.cfg.DrainTimeout + leaveGrace)
	clear(t.missing)
	for id, e := range t.entries.all() {
		switch e.state {
		case StateHeld:
			t.stop(now, e, StateDraining, CauseShutdown, &p)
		case StateRestarting, StateComplete:
			t.remove(id)
			p.Beat = true
		}
	}
	return t.finish(now, p)
}

// tick does what is due at now, without the finishing touches.
func (t *Tracker) tick(now time.Time) Plan {
	var p Plan
	if !t.deadline.IsZero() && !before(now, t.deadline) {
		t.lapse(now, &p)
	}
	if t.moveAt.IsZero() || now.Before(t.moveAt) {
		return p
	}
	t.moveAt = time.Time{}
	for _, e := range slices.Backward(t.moving) { // idle moves a later one into its slot
		if now.Before(e.due) {
			t.moveBy(e.due)
			continue
		}
		switch e.state {
		case StateDraining:
			t.stop(now, e, StateCancelled, e.cause, &p)
		case StateCancelled:
			t.idle(e)
			p.Stuck = append(p.Stuck, e.grant.ID)
		case StateRestarting:
			t.idle(e)
			t.start(now, e, &p)
		}
	}
	return p
}

// lapse ends the lease for good. Every shard is cancelled; what was only reported,
// not running, is dropped. The member goes on as a new instance of its name, which
// has heard nothing and re-adopts nothing.
func (t *Tracker) lapse(now time.Time, p *Plan) {
	for id, e := range t.entries.all() {
		switch e.state {
		case StateHeld, StateDraining:
			t.stop(now, e, StateCancelled, CauseLost, p)
		case StateCancelled:
			e.cause = CauseLost // whatever it was told: what it brings back is void
		case StateRestarting, StateComplete:
			t.remove(id)
		}
	}
	t.want = nil
	clear(t.missing)
	clear(t.ended)
	t.ending = ending{worked: t.ending.worked}
	t.deadline = time.Time{}
	t.generation = 0
	t.barrier = t.seq
	if t.instance != 0 {
		t.instance++
	}
	t.settledAt = now.Add(unsettledIntervals * t.interval)
	p.LeaseLost = true
	p.Beat = true
}

// stop moves an entry one phase further: to draining, or to cancelled.
func (t *Tracker) stop(now time.Time, e *entry, to State, why Cause, p *Plan) {
	s := Stop{ID: e.grant.ID, Epoch: e.epoch, Cause: why}
	if i := slices.IndexFunc(p.Start, func(l Lease) bool { return l.ID == s.ID }); i >= 0 {
		// Due to start again at this very event: it has nothing to stop.
		p.Start = slices.Delete(p.Start, i, i+1)
		t.remove(s.ID)
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

func (t *Tracker) schedule(e *entry, s State, due time.Time) {
	e.state, e.due = s, due
	if e.slot == 0 {
		t.moving = append(t.moving, e)
		e.slot = len(t.moving)
	}
	t.moveBy(due)
}

// idle says that nothing is due for an entry any more.
func (t *Tracker) idle(e *entry) {
	if e.slot == 0 {
		return
	}
	end := len(t.moving) - 1
	last := t.moving[end]
	t.moving[e.slot-1], last.slot = last, e.slot
	t.moving[end] = nil
	t.moving, e.slot = t.moving[:end], 0
}

func (t *Tracker) moveBy(due time.Time) {
	if t.moveAt.IsZero() || due.Before(t.moveAt) {
		t.moveAt = due
	}
}

func (t *Tracker) remove(id ID) {
	if e := t.entries.get(id); e != nil {
		t.idle(e)
		if e.state == StateComplete {
			t.doneCount--
		}
		t.entries.remove(id)
		t.heldDirty = true
	}
}

func (t *Tracker) wants(id ID) bool {
	_, ok := slices.BinarySearchFunc(t.want, id, func(g Grant, id ID) int { return g.ID.Compare(id) })
	return ok
}

// finish gives a plan its order, its next wake-up, and the verdict on leaving.
func (t *Tracker) finish(now time.Time, p Plan) Plan {
	sortStops(p.Cancel)
	sortStops(p.Revoke)
	slices.SortFunc(p.Start, func(a, b Lease) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(p.Stuck, ID.Compare)
	slices.SortFunc(p.StillGranted, ID.Compare)
	p.WakeAt = earliest(t.deadline, t.moveAt)
	if t.leaving {
		p.WakeAt = earliest(p.WakeAt, t.leaveUntil)
		p.Beat = p.Beat && t.cfg.CanLeave && !t.deadline.IsZero()
		p.Left = t.entries.len() == 0 || !now.Before(t.leaveUntil)
		return p
	}
	t.finiteRun(now, &p)
	return p
}

func sortStops(stops []Stop) {
	slices.SortFunc(stops, func(a, b Stop) int { return a.ID.Compare(b.ID) })
}

// earliest returns the earlier of two times, of which zero means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
