package shardset

import (
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
	want, err := t.normalize(a)
	if err != nil {
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
	if !before(now, deadline) {
		return t.finish(now, p), ErrStaleAnswer
	}
	t.answered = seq
	if !t.joined {
		t.settledAt = now.Add(unsettledIntervals * t.cfg.Interval)
	}
	t.joined, t.joinEmpty = true, false
	t.generation = a.Generation
	t.deadline = deadline
	p.NotAfter = deadline

	if !slices.Equal(want, t.want) {
		t.diff(now, want, &p)
		t.want = slices.Clone(want)
	}
	t.startMissing(now, seq, &p)
	t.dropEnded(seq)
	return t.finish(now, p), nil
}

// normalize returns the grants sorted, or says why the answer makes no sense. An
// answer that repeats the last one needs no second look.
func (t *Tracker) normalize(a Answer) ([]Grant, error) {
	if a.TTL <= 0 {
		return nil, &AnswerError{Reason: fmt.Sprintf("the TTL %v is not positive", a.TTL)}
	}
	if t.cfg.Interval*MinBeats > a.TTL {
		return nil, &IntervalError{Interval: t.cfg.Interval, TTL: a.TTL}
	}
	if slices.Equal(a.Grants, t.want) {
		return t.want, nil
	}
	want := a.Grants
	if !slices.IsSortedFunc(want, compareGrants) {
		want = slices.Clone(want)
		slices.SortFunc(want, compareGrants)
	}
	for i, g := range want {
		if err := g.ID.Validate(); err != nil {
			return nil, &AnswerError{ID: g.ID, Reason: err.Error()}
		}
		if i > 0 && want[i-1].ID == g.ID {
			return nil, &AnswerError{ID: g.ID, Reason: fmt.Sprintf("shard %s is listed twice", g.ID)}
		}
	}
	return want, nil
}

// diff walks the last answer and this one side by side.
func (t *Tracker) diff(now time.Time, want []Grant, p *Plan) {
	t.settledAt = now.Add(unsettledIntervals * t.cfg.Interval)
	old := t.want
	for len(old) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(old) > 0 && old[0].ID.Compare(want[0].ID) < 0:
			t.unwanted(now, old[0].ID, p)
			old = old[1:]
		case len(old) == 0 || want[0].ID.Compare(old[0].ID) < 0:
			t.wanted(now, want[0], p)
			want = want[1:]
		default:
			if old[0].Epoch != want[0].Epoch {
				t.wanted(now, want[0], p)
			}
			old, want = old[1:], want[1:]
		}
	}
}

// wanted deals with a grant that the last answer did not have.
func (t *Tracker) wanted(now time.Time, g Grant, p *Plan) {
	e := t.entries[g.ID]
	if e == nil {
		if _, again := t.missing[g.ID]; !again {
			t.missing[g.ID] = 0
		}
		return
	}
	switch {
	case e.grant.Epoch == g.Epoch && e.state != StateDraining && e.state != StateCancelled:
		return // still ours: it was taken out of an answer and put back before we acted
	case e.state == StateHeld:
		// The same shard under another epoch: between the two it was nobody's, or
		// somebody else's. The old run is over and its checkpoint is not ours to know.
		t.stop(now, e, StateCancelled, CauseLost, p)
		t.missing[g.ID] = 0
	case e.state == StateCooling || e.state == StateDone:
		t.remove(g.ID)
		t.missing[g.ID] = 0
	default:
		t.missing[g.ID] = 0 // let the drain end, then start afresh
	}
}

// unwanted deals with a shard that the last answer had and this one has not.
func (t *Tracker) unwanted(now time.Time, id ID, p *Plan) {
	delete(t.missing, id)
	e := t.entries[id]
	switch {
	case e == nil:
	case e.state == StateHeld:
		t.stop(now, e, StateDraining, CauseRevoked, p)
	case e.state == StateCooling || e.state == StateDone:
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
		if !ok || t.entries[g.ID] != nil || seq <= after {
			continue
		}
		delete(t.missing, g.ID)
		t.take(now, g, p)
	}
}

// take makes a grant an entry, running at once unless it has to cool.
func (t *Tracker) take(now time.Time, g Grant, p *Plan) {
	e := &entry{grant: g, epoch: g.Epoch, since: now}
	if g.Epoch == 0 {
		t.localEpoch++
		e.epoch = t.localEpoch
	}
	t.entries[g.ID] = e
	t.heldDirty = true
	p.Beat = true
	t.settledAt = now.Add(unsettledIntervals * t.cfg.Interval)
	if until := t.holdoff[g.ID]; now.Before(until) {
		t.schedule(e, StateCooling, until)
		return
	}
	delete(t.holdoff, g.ID)
	t.start(now, e, p)
}

func (t *Tracker) start(now time.Time, e *entry, p *Plan) {
	e.state, e.since = StateHeld, now
	p.Start = append(p.Start, Lease{ID: e.grant.ID, Epoch: e.epoch, NotAfter: t.deadline})
}

// dropEnded forgets the closed shards whose end the service has now heard of.
func (t *Tracker) dropEnded(seq uint64) {
	for id, since := range t.ended {
		if seq >= since && t.entries[id] == nil {
			delete(t.ended, id)
		}
	}
}
