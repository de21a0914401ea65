package shardset

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrStaleAnswer is the error of Tracker.Accepted for an answer that came too late: a newer
// heartbeat has left, the heartbeat was answered before, the lease was lost meanwhile, or the new
// lease would have ended already.
var ErrStaleAnswer = errors.New("answer came too late: a newer heartbeat has left, or the lease was lost")

// Accepted handles an answer to heartbeat seq that came at now. It compares the held shards with
// the assigned ones (diff), and starts and stops processors accordingly.
//
// An error means that the Tracker refused the answer. It is ErrStaleAnswer if the answer came too
// late, an *IntervalError if the member's interval does not fit the group's TTL, and another error
// if the answer is invalid. Apply the Plan even after an error: it contains what is due at now.
func (t *Tracker) Accepted(now time.Time, seq uint64, a Answer) (Plan, error) {
	p := t.tick(now)
	err := t.accept(now, seq, a, &p)
	return t.finish(now, p), err
}

func (t *Tracker) accept(now time.Time, seq uint64, a Answer, p *Plan) error {
	if seq != t.seq || seq <= t.voidUpTo || seq == t.answered {
		return ErrStaleAnswer
	}
	if a.TTL <= 0 {
		return badAnswer("the TTL %v is not positive", a.TTL)
	}
	if !t.fits(a.TTL) {
		t.shortenLease(now, a.TTL, p)
		return &IntervalError{Interval: t.cfg.Interval, TTL: a.TTL}
	}
	assigned, changed, err := t.checkGrants(a.Grants)
	if err != nil {
		return err
	}
	if a.Generation != 0 && a.Generation < t.generation {
		// The service lost writes: it may grant our newer shards to other members.
		err := badAnswer("the generation went back from %d to %d", t.generation, a.Generation)
		t.loseLease(now, p)
		return err
	}
	// The lease counts from when the request left, not from when the reply came. Example with a TTL
	// of 10s: the heartbeat leaves at 0s, the server receives it at 1s, and we read the reply at
	// 9s. The server frees the shard at 11s. A lease counted from the reply would last until 19s.
	deadline := t.sentAt.Add(a.TTL - Margin(a.TTL))
	t.interval = t.intervalFor(a.TTL)
	if !before(now, deadline) {
		t.shortenLease(now, a.TTL, p)
		return ErrStaleAnswer
	}
	if changed || !t.joined {
		t.unsettle(now)
	}
	t.answered, t.refusedUntil = seq, time.Time{}
	t.answers++
	t.joined, t.joinEmpty = true, false
	t.generation = a.Generation
	t.ttl, t.deadline = a.TTL, deadline
	t.noteCompletion(a)
	p.setLease(deadline)

	if changed {
		t.assigned, t.diffDue = slices.Clone(assigned), true
		t.completion.idleSince = time.Time{}
	}
	if t.diffDue {
		t.applyDiff(now, seq, p)
	}
	t.startAgain(now, p)
	t.dropReported(now, seq)
	return nil
}

func badAnswer(format string, args ...any) error {
	return fmt.Errorf("bad heartbeat answer: "+format, args...)
}

// checkGrants returns the grants of an answer sorted, and whether they differ from those of the
// last accepted answer. The error says what is invalid. Nearly all answers repeat the last one,
// which was checked already.
func (t *Tracker) checkGrants(grants []Grant) (sorted []Grant, changed bool, err error) {
	if slices.Equal(grants, t.assigned) {
		return t.assigned, false, nil
	}
	sorted = grants
	if !slices.IsSortedFunc(sorted, compareGrants) {
		sorted = slices.Clone(sorted)
		slices.SortFunc(sorted, compareGrants)
	}
	for i, g := range sorted {
		if err := g.ID.Validate(); err != nil {
			return nil, false, badAnswer("%w", err)
		}
		if i > 0 && sorted[i-1].ID == g.ID {
			return nil, false, badAnswer("shard %s is listed twice", g.ID)
		}
	}
	return sorted, !slices.Equal(sorted, t.assigned), nil
}

func compareGrants(a, b Grant) int { return a.ID.Compare(b.ID) }

// applyDiff starts and stops shards so that the member comes to hold what it is assigned. A shard
// that may not start yet stays assigned, and applyDiff runs again at the next answer.
func (t *Tracker) applyDiff(now time.Time, seq uint64, p *Plan) {
	d := diff(t.entries.sorted(), t.assigned)
	t.diffDue = false // remove sets it again
	p.Revoke = slices.Grow(p.Revoke, len(d.revoke))
	p.Start = slices.Grow(p.Start, len(d.start))
	t.timed = slices.Grow(t.timed, len(d.revoke))
	for _, e := range d.revoke {
		t.stopOrRemove(now, e, StateDraining, CauseRevoked, p)
	}
	for _, e := range d.regrant {
		t.stopOrRemove(now, e, StateCancelled, CauseLost, p)
	}
	fresh := make([]entry, 0, len(d.start))
	for _, g := range d.start {
		if t.mayStart(g.ID, seq) {
			fresh = append(fresh, entry{grant: *g})
			t.addEntry(now, &fresh[len(fresh)-1], p)
		}
	}
	t.diffDue = t.diffDue || len(fresh) < len(d.start)
}

// stopOrRemove stops a shard that has a running processor, and removes a shard that has none.
// It does nothing to a shard that is draining or cancelled already.
func (t *Tracker) stopOrRemove(now time.Time, e *entry, to State, why Cause, p *Plan) {
	switch e.state {
	case StateHeld:
		t.stop(now, e, to, why, p)
	case StateRestarting, StateComplete:
		t.remove(e)
		p.Beat = true
	}
}

// mayStart reports whether the answer to heartbeat seq may start a shard. If this member ran the
// shard before, that heartbeat must not list the shard. Otherwise the service may have answered
// before the last commit of the earlier run.
func (t *Tracker) mayStart(id ID, seq uint64) bool {
	listed, ok := t.released[id]
	return !t.leaving && (!ok || listed < seq)
}

// addEntry adds an entry for a new grant, and starts it. If the shard's processor was fenced
// less than RestartPause ago, the shard waits in StateRestarting first.
func (t *Tracker) addEntry(now time.Time, e *entry, p *Plan) {
	g := e.grant
	e.epoch, e.since = g.Epoch, now
	if g.Epoch == 0 {
		t.clockEpoch = clockEpoch(now, t.clockEpoch)
		e.epoch = t.clockEpoch
	}
	t.entries.put(e)
	delete(t.closed, g.ID) // the service saw the report, and grants the shard nevertheless
	p.Beat = true
	t.unsettle(now)
	if until := t.notBefore[g.ID]; now.Before(until) {
		t.schedule(e, StateRestarting, until)
		return
	}
	t.start(now, e, p)
}

func (t *Tracker) start(now time.Time, e *entry, p *Plan) {
	e.state, e.since = StateHeld, now
	p.Start = append(p.Start, Lease{ID: e.grant.ID, Epoch: e.epoch, NotAfter: t.deadline})
}

// remove removes a shard from the held ones. The next heartbeat does not list it.
func (t *Tracker) remove(e *entry) {
	t.unschedule(e)
	t.entries.remove(e)
	t.released[e.grant.ID] = t.seq
	t.diffDue = true
}

// dropReported forgets what the service knows once it has answered heartbeat seq: closed shards
// that the heartbeat reported, and released shards that it did not list. It also forgets pauses
// that have passed.
func (t *Tracker) dropReported(now time.Time, seq uint64) {
	for id, listed := range t.released {
		if seq > listed {
			delete(t.released, id)
		}
	}
	for id, until := range t.notBefore {
		if !now.Before(until) {
			delete(t.notBefore, id)
		}
	}
	for id, since := range t.closed {
		if seq >= since && t.entries.get(id) == nil {
			delete(t.closed, id)
		}
	}
}
