package shardset

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Accepted is the event of an answer to heartbeat seq that came at now. It compares
// what the member may hold with what runs: what is new is started, what is gone is
// revoked, what came back under another epoch is cancelled and taken afresh.
//
// An error means that the answer was not obeyed: ErrStaleAnswer for one that came
// too late to count, *AnswerError for one that makes no sense, *IntervalError when
// this member cannot live with the group's TTL. The Plan is to be obeyed all the
// same, because time has passed.
func (t *Tracker) Accepted(now time.Time, seq uint64, a Answer) (Plan, error) {
	p := t.tick(now)
	if seq != t.seq || seq <= t.barrier || seq == t.answered {
		return t.finish(now, p), ErrStaleAnswer
	}
	want, changed, err := t.normalize(a)
	if err != nil {
		var interval *IntervalError
		if errors.As(err, &interval) {
			t.shorten(now, a.TTL, &p)
		}
		return t.finish(now, p), err
	}
	if a.Generation != 0 && a.Generation < t.generation {
		// The service lost writes: whatever it gave us since may be given again.
		reason := fmt.Sprintf("the generation went back from %d to %d", t.generation, a.Generation)
		t.lapse(now, &p)
		return t.finish(now, p), &AnswerError{Reason: reason}
	}
	// The lease counts from when the request left, not from when the reply came.
	// Sent 0s, stamped by the server 1s, read by us 9s, TTL 10s: the server frees
	// the shard at 11s; counting from the reply we would work on it until 19s.
	deadline := t.sentAt.Add(a.TTL - Margin(a.TTL))
	t.interval = t.intervalFor(a.TTL)
	if !before(now, deadline) {
		t.shorten(now, a.TTL, &p)
		return t.finish(now, p), ErrStaleAnswer
	}
	t.answered, t.patience = seq, time.Time{}
	t.answers++
	if !t.joined {
		t.settledAt = now.Add(unsettledIntervals * t.interval)
	}
	t.joined, t.joinEmpty = true, false
	t.generation = a.Generation
	t.ttl, t.deadline = a.TTL, deadline
	t.heard(a)
	p.leaseUntil(deadline)

	if changed {
		t.diff(now, seq, want, &p)
		t.want = slices.Clone(want)
	}
	t.startMissing(now, seq, &p)
	t.startAgain(now, &p)
	t.dropGone(now, seq)
	return t.finish(now, p), nil
}

// fits reports whether this member can live with a TTL. A group with a shorter one than
// before gets more heartbeats, as long as there is a point in that.
func (t *Tracker) fits(ttl time.Duration) bool {
	switch longest := ttl / MinHeartbeats; {
	case t.cfg.Interval <= longest:
		return true
	case t.cfg.FirmInterval && !t.joined:
		return false
	default:
		return longest >= ShortestInterval
	}
}

// intervalFor returns the time between regular heartbeats in a group with this TTL.
func (t *Tracker) intervalFor(ttl time.Duration) time.Duration {
	interval := t.cfg.Interval
	if t.cfg.FollowTTL {
		part := float64(interval) / float64(t.cfg.TTL)
		interval = max(time.Duration(part*float64(ttl)), min(interval, ShortestInterval))
	}
	return min(interval, ttl/MinHeartbeats)
}

// shorten ends the lease earlier if an answer that is not obeyed says so: the group's
// TTL was made shorter meanwhile, and the newest heartbeat, which this answers, set
// when the service may give the shards away.
func (t *Tracker) shorten(now time.Time, ttl time.Duration, p *Plan) {
	deadline := t.sentAt.Add(ttl - Margin(ttl))
	if ttl <= 0 || t.deadline.IsZero() || !deadline.Before(t.deadline) {
		return
	}
	if !before(now, deadline) {
		t.lapse(now, p)
		return
	}
	t.deadline = deadline
	p.leaseUntil(deadline)
}

// leaseUntil gives a plan the new end of the lease. What has cooled by now starts under
// that one.
func (p *Plan) leaseUntil(deadline time.Time) {
	p.NotAfter = deadline
	for i := range p.Start {
		p.Start[i].NotAfter = deadline
	}
}

// normalize returns the grants sorted, and whether they differ from the last ones, or
// says why the answer makes no sense. An answer that repeats the last one, as nearly
// all do, needs no second look.
func (t *Tracker) normalize(a Answer) ([]Grant, bool, error) {
	if a.TTL <= 0 {
		return nil, false, &AnswerError{Reason: fmt.Sprintf("the TTL %v is not positive", a.TTL)}
	}
	if !t.fits(a.TTL) {
		return nil, false, &IntervalError{Interval: t.cfg.Interval, TTL: a.TTL}
	}
	if slices.Equal(a.Grants, t.want) {
		return t.want, false, nil
	}
	want := a.Grants
	if !slices.IsSortedFunc(want, compareGrants) {
		want = slices.Clone(want)
		slices.SortFunc(want, compareGrants)
	}
	for i, g := range want {
		if err := g.ID.Validate(); err != nil {
			return nil, false, &AnswerError{ID: g.ID, Reason: err.Error()}
		}
		if i > 0 && want[i-1].ID == g.ID {
			return nil, false, &AnswerError{ID: g.ID, Reason: fmt.Sprintf("shard %s is listed twice", g.ID)}
		}
	}
	return want, !slices.Equal(want, t.want), nil
}

// diff walks the last answer and this one side by side.
func (t *Tracker) diff(now time.Time, seq uint64, want []Grant, p *Plan) {
	added, removed := countDiff(t.want, want)
	p.Revoke = slices.Grow(p.Revoke, removed)
	p.Start = slices.Grow(p.Start, added)
	t.moving = slices.Grow(t.moving, removed)
	fresh := make([]entry, 0, added)
	find := t.finder()
	t.ending.since = time.Time{}
	t.settledAt = now.Add(unsettledIntervals * t.interval)
	old := t.want
	for len(old) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(old) > 0 && old[0].ID.Compare(want[0].ID) < 0:
			t.unwanted(now, old[0].ID, find(old[0].ID), p)
			old = old[1:]
		case len(old) == 0 || want[0].ID.Compare(old[0].ID) < 0:
			if t.wanted(now, seq, want[0], find(want[0].ID), p) {
				fresh = append(fresh, entry{grant: want[0]})
			}
			want = want[1:]
		default:
			if old[0].Epoch != want[0].Epoch && t.wanted(now, seq, want[0], find(want[0].ID), p) {
				fresh = append(fresh, entry{grant: want[0]})
			}
			old, want = old[1:], want[1:]
		}
	}
	for i := range fresh {
		t.take(now, &fresh[i], p)
	}
}

// countDiff says how many shards only the new answer has, and how many only the old
// one, so that a plan for thousands is allocated once.
func countDiff(old, want []Grant) (added, removed int) {
	for len(old) > 0 && len(want) > 0 {
		switch c := old[0].ID.Compare(want[0].ID); {
		case c < 0:
			removed++
			old = old[1:]
		case c > 0:
			added++
			want = want[1:]
		default:
			old, want = old[1:], want[1:]
		}
	}
	return added + len(want), removed + len(old)
}

// wanted deals with a grant that the last answer did not have, and with its entry, if
// there is one. It reports whether the grant can be taken at once; if not, the shard
// is missing.
func (t *Tracker) wanted(now time.Time, seq uint64, g Grant, e *entry, p *Plan) bool {
	if e == nil {
		// It may have run until a moment ago, and this answer not know of that.
		after := max(t.missing[g.ID], t.gone[g.ID])
		if t.leaving || seq <= after {
			t.missing[g.ID] = after
			return false
		}
		delete(t.missing, g.ID)
		return true
	}
	switch e.state {
	case StateHeld:
		// The same shard under another epoch: between the two it was nobody's, or
		// somebody else's. The old run is over and its checkpoint is not ours to know.
		t.stop(now, e, StateCancelled, CauseLost, p)
	case StateRestarting, StateComplete:
		t.remove(g.ID)
		p.Beat = true
	}
	// In every case, a drain that has to end included: the heartbeat that this
	// answers listed the last run, so only the answer to a later one starts afresh.
	t.missing[g.ID] = seq
	return false
}

// unwanted deals with a shard that the last answer had and this one has not.
func (t *Tracker) unwanted(now time.Time, id ID, e *entry, p *Plan) {
	delete(t.missing, id)
	switch {
	case e == nil:
	case e.state == StateHeld:
		t.stop(now, e, StateDraining, CauseRevoked, p)
	case e.state == StateRestarting || e.state == StateComplete:
		t.remove(id)
		p.Beat = true
	}
}

// startMissing starts what is wanted and not running. A shard that ran here before
// is started only from the answer to a heartbeat that omitted it: an answer computed
// while its last run was still listed knows nothing of that run's last commit.
func (t *Tracker) startMissing(now time.Time, seq uint64, p *Plan) {
	if len(t.missing) == 0 || t.leaving {
		return
	}
	for _, g := range t.want {
		after, ok := t.missing[g.ID]
		if !ok || t.entries.get(g.ID) != nil || seq <= after {
			continue
		}
		delete(t.missing, g.ID)
		t.take(now, &entry{grant: g}, p)
	}
}

// take files an entry that has its grant, running at once unless it has to cool.
func (t *Tracker) take(now time.Time, e *entry, p *Plan) {
	g := e.grant
	e.epoch, e.since = g.Epoch, now
	if g.Epoch == 0 {
		t.clockEpoch = clockEpoch(now, t.clockEpoch)
		e.epoch = t.clockEpoch
	}
	t.entries.put(e)
	delete(t.ended, g.ID) // the heartbeat that this answers told it, and the service knows better
	t.heldDirty = true
	p.Beat = true
	t.settledAt = now.Add(unsettledIntervals * t.interval)
	if until := t.holdoff[g.ID]; now.Before(until) {
		t.schedule(e, StateRestarting, until)
		return
	}
	t.start(now, e, p)
}

func (t *Tracker) start(now time.Time, e *entry, p *Plan) {
	e.state, e.since = StateHeld, now
	p.Start = append(p.Start, Lease{ID: e.grant.ID, Epoch: e.epoch, NotAfter: t.deadline})
}

// dropGone forgets what the service has now heard of: the closed shards that ended,
// and the last runs of the shards that this heartbeat no longer listed; and the
// pauses that are over.
func (t *Tracker) dropGone(now time.Time, seq uint64) {
	for id, listed := range t.gone {
		if seq > listed {
			delete(t.gone, id)
		}
	}
	for id, until := range t.holdoff {
		if !now.Before(until) {
			delete(t.holdoff, id)
		}
	}
	for id, since := range t.ended {
		if seq >= since && t.entries.get(id) == nil {
			delete(t.ended, id)
		}
	}
}
