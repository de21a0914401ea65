package shardset

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrStaleAnswer is what Tracker.Accepted returns for an answer that came too late: a newer
// heartbeat has left, the lease was lost meanwhile, or the answer took longer than the lease
// that it would have given.
var ErrStaleAnswer = errors.New("answer came too late: a newer heartbeat has left, or the lease was lost")

// Accepted is the event of an answer to heartbeat seq that came at now. It compares
// what the member holds with what it is assigned (diff), and starts and stops processors
// accordingly.
//
// An error means that the Tracker did not follow the answer. It is ErrStaleAnswer for an
// answer that came too late, *IntervalError if the member's interval does not fit the
// group's TTL, and another error for an answer that makes no sense. Apply the Plan all the
// same, because time has passed.
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
		// The service lost writes: it may grant again whatever it granted us since.
		err := badAnswer("the generation went back from %d to %d", t.generation, a.Generation)
		t.loseLease(now, p)
		return err
	}
	// The lease counts from when the request left, not from when the reply came.
	// Sent 0s, stamped by the server 1s, read by us 9s, TTL 10s: the server frees
	// the shard at 11s; counting from the reply we would work on it until 19s.
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

// checkGrants returns the grants of an answer sorted, and whether they differ from the last
// ones, or says why they make no sense. An answer that repeats the last one, as nearly
// all do, needs no second look.
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

// applyDiff does what the difference asks for. What cannot start yet stays assigned and not
// held: the answer to the next heartbeat finds it again.
func (t *Tracker) applyDiff(now time.Time, seq uint64, p *Plan) {
	d := diff(t.entries.sorted(), t.assigned)
	t.diffDue = false // until something is removed
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

// stopOrRemove stops a shard whose processor runs, and drops one that is only reported. A shard
// that stops already goes on stopping.
func (t *Tracker) stopOrRemove(now time.Time, e *entry, to State, why Cause, p *Plan) {
	switch e.state {
	case StateHeld:
		t.stop(now, e, to, why, p)
	case StateRestarting, StateComplete:
		t.remove(e)
		p.Beat = true
	}
}

// mayStart reports whether the answer to heartbeat seq may start a shard. A shard
// that ran here before is started only from the answer to a heartbeat that omitted it: an
// answer computed while its last run was still listed knows nothing of that run's last
// commit.
func (t *Tracker) mayStart(id ID, seq uint64) bool {
	listed, ok := t.released[id]
	return !t.leaving && (!ok || listed < seq)
}

// addEntry files an entry that has its grant. The shard runs at once, unless it was fenced a
// moment ago.
func (t *Tracker) addEntry(now time.Time, e *entry, p *Plan) {
	g := e.grant
	e.epoch, e.since = g.Epoch, now
	if g.Epoch == 0 {
		t.clockEpoch = clockEpoch(now, t.clockEpoch)
		e.epoch = t.clockEpoch
	}
	t.entries.put(e)
	delete(t.closed, g.ID) // the answered heartbeat reported it, and the service knows better
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

// remove takes a shard off the list of what is held.
func (t *Tracker) remove(e *entry) {
	t.unschedule(e)
	t.entries.remove(e)
	t.released[e.grant.ID] = t.seq
	t.diffDue = true
}

// dropReported drops what the answered heartbeat has told the service: closed shards, and shards
// that it no longer listed. It also drops the pauses that have passed.
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
