package shardset

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// lost is one of the ways in which everything is lost at once.
func (w *world) lost() {
	seq := w.seq() - w.rnd.Uint64N(2)
	counts := seq == w.seq() && seq > w.voidUpTo && w.leased()
	switch w.rnd.IntN(3) {
	case 0:
		w.event("lease lost")
		w.obey(w.tr.LeaseLost(w.now), 0)
	case 1:
		w.event("evicted %d", seq)
		if counts || seq == w.seq() && seq > w.voidUpTo && w.deadline.IsZero() {
			w.joinEmpty = true
		}
		w.obey(w.tr.Evicted(w.now, seq), 0)
	case 2:
		w.event("replaced %d", seq)
		joined := w.answered != 0
		p, final := w.tr.Replaced(w.now, seq, w.tr.Instance()+3)
		if final && (!joined || seq != w.seq()) {
			w.fail("an outcome that does not count ended the process")
		}
		if !joined && seq == w.seq() {
			w.voidUpTo = seq
		}
		w.obey(p, 0)
		w.over = w.over || final
	}
}

func (w *world) beat() {
	w.event("beat %d", w.seq()+1)
	r := w.tr.Beat(w.now)
	w.beats = append(w.beats, w.now)
	if r.Seq != w.seq() {
		w.fail("heartbeat %d is numbered %d", w.seq(), r.Seq)
	}
	if w.joinEmpty {
		if len(r.Held)+len(r.Closed) > 0 {
			w.fail("the join after an eviction lists %s and %v", grantsText(r.Held), r.Closed)
		}
		return
	}
	for id := range w.runs {
		if !slices.ContainsFunc(r.Held, func(g Grant) bool { return g.ID == id }) {
			w.fail("shard %s has not returned and is not in the report %q", id, grantsText(r.Held))
		}
	}
	for _, id := range r.Closed {
		if r := w.runs[id]; r != nil && r.cause == 0 {
			w.fail("the heartbeat reports %s as closed, and it runs", id)
		}
	}
	w.reportsComplete(r)
	if !slices.IsSortedFunc(r.Held, compareGrants) {
		w.fail("the report %q is not sorted", grantsText(r.Held))
	}
}

// answer makes up an answer to heartbeat seq: much like the last one.
func (w *world) answer(seq uint64) {
	if seq > w.seq() || seq == 0 {
		return
	}
	grants := slices.Clone(w.grants)
	for range w.changes() {
		id := ID{Number: w.rnd.IntN(8)}
		i := slices.IndexFunc(grants, func(g Grant) bool { return g.ID == id })
		switch {
		case i < 0:
			w.epochs[id] += uint64(w.rnd.IntN(2)) // the same epoch again: another member never came to it
			grants = append(grants, Grant{ID: id, Epoch: w.epochs[id] + 1})
		case w.rnd.IntN(2) == 0:
			w.epochs[id]++
			grants[i].Epoch = w.epochs[id] + 1
		default:
			grants = slices.Delete(grants, i, i+1)
		}
	}
	a := Answer{Grants: grants, TTL: 6 * time.Second, Generation: w.gen, Complete: w.rnd.IntN(3) == 0}
	switch w.rnd.IntN(30) {
	case 0:
		a.TTL = 250 * time.Millisecond // too short for anybody
	case 8:
		a.TTL = 2 * time.Second // too short for who chose an interval, at first
	case 1:
		a.Grants = append(slices.Clone(grants), Grant{ID: ID{Number: -1}})
	case 2:
		a.Generation--
	case 3, 4, 5:
		w.gen++
		a.Generation = w.gen
	case 6, 7:
		a.TTL = 3 * time.Second
	}
	w.event("answer to %d: %+v", seq, a)

	hadLease := w.leased()
	void := seq != w.seq() || seq <= w.voidUpTo || seq == w.answered || !hadLease && !w.deadline.IsZero()
	deadline := w.beats[seq-1].Add(a.TTL - Margin(a.TTL))
	p, err := w.tr.Accepted(w.now, seq, a)
	switch {
	case void && !errors.Is(err, ErrStaleAnswer):
		w.fail("an answer that must not count got %v", err)
	case err == nil && !w.now.Before(deadline):
		w.fail("an answer was obeyed that gives a lease until %v ago", w.now.Sub(deadline))
	case err == nil:
		w.answered, w.deadline, w.joinEmpty = seq, deadline, false
		w.heard(a, seq)
		w.grants = grants
		w.closedAnswer(seq, p)
		if !p.NotAfter.Equal(deadline) {
			w.fail("the lease's end is %v off", p.NotAfter.Sub(deadline))
		}
	case errors.As(err, new(*IntervalError)) && hadLease && deadline.Before(w.deadline) && w.now.Before(deadline):
		if w.deadline = deadline; !p.NotAfter.Equal(deadline) {
			w.fail("the shortened lease's end is %v off", p.NotAfter.Sub(deadline))
		}
	}
	w.obey(p, seq)
}

// finish ends one goroutine: a stopped one most likely, sometimes another.
func (w *world) finish() {
	var ids []ID
	for _, id := range slices.SortedFunc(maps.Keys(w.runs), ID.Compare) { // a map's order is not the seed's
		r := w.runs[id]
		if stopped := !r.revoked.IsZero() || !r.cancelled.IsZero(); stopped || w.rnd.IntN(8) == 0 || w.end.calm {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	id := ids[w.rnd.IntN(len(ids))]
	r := w.runs[id]
	o := OutcomeReleased + Outcome(w.rnd.IntN(int(OutcomeFailed)))
	if w.end.calm && w.rnd.IntN(4) > 0 {
		o = OutcomeComplete + Outcome(w.rnd.IntN(2)) // or closed
	}
	w.event("%s returned %s", id, o)
	p := w.tr.Returned(w.now, id, o)
	for _, s := range p.Cancel {
		if s.ID == id {
			r.cause = s.Cause
		}
	}
	if p.LeaseLost {
		r.cause = CauseLost
	}
	w.last[id] = returned{at: w.now, seq: w.seq(), outcome: o, epoch: r.epoch, cause: r.cause}
	delete(w.runs, id)
	w.completed(id, r, o, p)
	w.closedReturned(id, r, o)
	// The event's own plan may still name it: time had passed before it returned.
	p.Cancel = slices.DeleteFunc(p.Cancel, func(s Stop) bool { return s.ID == id })
	p.Stuck = slices.DeleteFunc(p.Stuck, func(s ID) bool { return s == id })
	w.obey(p, 0)
}
