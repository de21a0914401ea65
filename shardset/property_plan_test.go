package shardset

import (
	"slices"
	"time"
)

// obey does what a plan says, in the order of its fields, and complains about what
// no plan may say. seq is the heartbeat whose answer made the plan, if one did.
func (w *world) obey(p Plan, seq uint64) {
	if w.verbose {
		w.event("\t%s", actions(p))
	}
	w.sorted(p)
	for _, s := range p.Cancel {
		w.cancel(s)
	}
	if p.LeaseLost {
		w.deadline = time.Time{}
		w.voidUpTo = w.seq()
		w.grants = nil
		w.end.leaseLost()
		clear(w.closed.shards)
		for id, r := range w.runs {
			if r.cancelled.IsZero() {
				w.fail("the lease was lost and shard %s runs on", id)
			}
			r.cause = CauseLost // also what was cancelled before
		}
	}
	if !p.NotAfter.IsZero() && !w.leased() {
		w.fail("a new end of the lease, %v, without a lease", p.NotAfter)
	}
	for _, s := range p.Revoke {
		r := w.runs[s.ID]
		switch {
		case r == nil || r.epoch != s.Epoch || !r.revoked.IsZero() || !r.cancelled.IsZero():
			w.fail("revoke %+v of %+v", s, r)
		case s.Cause != CauseRevoked && s.Cause != CauseShutdown || s.Cause == CauseShutdown && !w.leaving():
			w.fail("revoke %+v with such a cause", s)
		default:
			r.revoked, r.cause = w.now, s.Cause
		}
	}
	for _, l := range p.Start {
		w.start(l, seq)
	}
	if len(p.StillGranted) > 0 && seq == 0 {
		w.fail("%v are still granted, by the word of no answer", p.StillGranted)
	}
	for _, id := range p.Stuck {
		r := w.runs[id]
		if r == nil || r.stuck || r.cancelled.IsZero() || w.now.Sub(r.cancelled) < w.cfg.StuckAfter {
			w.fail("stuck %s: %+v", id, r)
			continue
		}
		r.stuck = true
	}
	if p.Beat && w.leaving() && (!w.cfg.CanLeave || w.deadline.IsZero()) {
		w.fail("a leaving member sends a heartbeat that nothing needs")
	}
	w.wakeAt = p.WakeAt
	w.left(p)
	w.nothingLeft(p)
}

// cancel checks that a loss cancels at once, and anything else only what was asked
// to finish, DrainTimeout ago.
func (w *world) cancel(s Stop) {
	r := w.runs[s.ID]
	if r == nil || r.epoch != s.Epoch || !r.cancelled.IsZero() {
		w.fail("cancel %+v of %+v", s, r)
		return
	}
	if s.Cause != CauseLost && (r.revoked.IsZero() || r.cause != s.Cause || w.now.Sub(r.revoked) < w.cfg.DrainTimeout) {
		w.fail("cancel %+v of %+v at %v", s, r, w.now)
	}
	r.cancelled, r.cause = w.now, s.Cause
}

// start checks that one run follows the other: under a lease, and from an answer
// that can know of the last run's last commit.
func (w *world) start(l Lease, seq uint64) {
	if w.runs[l.ID] != nil {
		w.fail("start %s@%d while %+v has not returned", l.ID, l.Epoch, w.runs[l.ID])
		return
	}
	if w.leaving() {
		w.fail("start %s@%d while leaving", l.ID, l.Epoch)
	}
	if !l.Valid(w.now) || !l.NotAfter.Equal(w.deadline) {
		w.fail("start %s@%d until %v, the lease ends in %v", l.ID, l.Epoch, l.NotAfter, w.deadline.Sub(w.now))
	}
	granted := slices.ContainsFunc(w.grants, func(g Grant) bool { return g.ID == l.ID && g.Epoch == l.Epoch })
	if !granted {
		w.fail("start %s@%d, which is not among the grants %q", l.ID, l.Epoch, grantsText(w.grants))
	}
	if last, ok := w.last[l.ID]; ok {
		rested := w.now.Sub(last.at) >= w.cfg.RestartPause
		sameGrant := last.outcome == OutcomeFailed && last.cause == 0 && last.epoch == l.Epoch
		sameGrant = sameGrant || last.outcome == OutcomeClosed && last.cause == 0 && last.epoch == l.Epoch // see closedAnswer
		if source := max(seq, w.answered); source <= last.seq && !(sameGrant && rested) {
			w.fail("start %s@%d from the answer to heartbeat %d, its last run (%+v) ended after that", l.ID, l.Epoch, source, last)
		}
		if last.outcome == OutcomeFenced && !rested {
			w.fail("start %s@%d only %v after it was fenced", l.ID, l.Epoch, w.now.Sub(last.at))
		}
	}
	w.runs[l.ID] = &run{epoch: l.Epoch, started: w.now}
}

func (w *world) left(p Plan) {
	if !p.Left {
		late := w.cfg.DrainTimeout + leaveGrace
		if w.leaving() && (len(w.runs) == 0 || w.now.Sub(w.leaveAt) >= late) {
			w.fail("nothing holds the member, and it has not left")
		}
		return
	}
	if !w.leaving() || len(w.runs) > 0 && w.now.Sub(w.leaveAt) < w.cfg.DrainTimeout {
		w.fail("the member has left with %d runs, leaving: %v", len(w.runs), w.leaving())
	}
	w.over = true
}

// sorted checks each list's order, which includes that nothing is in it twice.
func (w *world) sorted(p Plan) {
	byID := func(a, b Stop) int { return a.ID.Compare(b.ID) }
	strictly := func(n int, compare func(i int) int) bool {
		for i := 1; i < n; i++ {
			if compare(i) >= 0 {
				return false
			}
		}
		return true
	}
	if !strictly(len(p.Cancel), func(i int) int { return byID(p.Cancel[i-1], p.Cancel[i]) }) ||
		!strictly(len(p.Revoke), func(i int) int { return byID(p.Revoke[i-1], p.Revoke[i]) }) ||
		!strictly(len(p.Start), func(i int) int { return p.Start[i-1].ID.Compare(p.Start[i].ID) }) ||
		!strictly(len(p.Stuck), func(i int) int { return p.Stuck[i-1].Compare(p.Stuck[i]) }) {
		w.fail("not sorted, or something twice: %s", actions(p))
	}
}

// check is what must be true between any two events.
func (w *world) check() {
	if err := w.tr.Check(); err != nil {
		w.fail("Check: %w", err)
	}
	if w.over {
		return
	}
	due := func(what string, at time.Time) {
		if w.wakeAt.IsZero() || at.Before(w.wakeAt) {
			w.fail("%s is due at %v and the wake-up is at %v", what, at, w.wakeAt)
		}
	}
	if !w.deadline.IsZero() {
		due("the lease's end", w.deadline)
	}
	if at := w.endOfWait(); w.now.Before(at) && !w.end.reported {
		due("the end of the wait", at)
	}
	for id, r := range w.runs {
		switch {
		case r.cancelled.IsZero() && w.deadline.IsZero():
			w.fail("shard %s runs without a lease", id)
		case r.cancelled.IsZero() && r.revoked.IsZero():
			if w.leaving() {
				w.fail("shard %s was not revoked, and the member leaves", id)
			}
			if !slices.ContainsFunc(w.grants, func(g Grant) bool { return g.ID == id && g.Epoch == r.epoch }) {
				w.fail("shard %s runs on and is not granted", id)
			}
		case r.cancelled.IsZero():
			due("the end of a drain", r.revoked.Add(w.cfg.DrainTimeout))
		case !r.stuck:
			due("calling a run stuck", r.cancelled.Add(w.cfg.StuckAfter))
		}
	}
}

// settle is calm weather: every shard is granted afresh, what is stopped returns,
// every heartbeat is answered. In a few seconds everything must run.
func (w *world) settle() {
	if w.over || w.leaving() {
		w.member()
	}
	w.event("calm")
	grants := []Grant{}
	for i := range 8 {
		id := ID{Number: i}
		w.epochs[id] += 2
		grants = append(grants, Grant{ID: id, Epoch: w.epochs[id] + 1})
	}
	for range 30 {
		w.now = w.now.Add(100 * time.Millisecond)
		w.obey(w.tr.Tick(w.now), 0)
		for id, r := range w.runs {
			if !r.revoked.IsZero() || !r.cancelled.IsZero() {
				w.last[id] = returned{at: w.now, seq: w.seq(), outcome: OutcomeReleased, epoch: r.epoch, cause: r.cause}
				delete(w.runs, id)
				w.obey(w.tr.Returned(w.now, id, OutcomeReleased), 0)
			}
		}
		w.beat()
		a := Answer{Grants: grants, TTL: 6 * time.Second, Generation: w.gen}
		w.heard(a, w.seq())
		w.grants, w.answered, w.joinEmpty = grants, w.seq(), false
		w.deadline = w.now.Add(6*time.Second - Margin(6*time.Second))
		p, err := w.tr.Accepted(w.now, w.seq(), a)
		if err != nil {
			w.fail("in calm weather: %w", err)
		}
		w.obey(p, w.seq())
		w.check()
		if w.err != nil {
			return
		}
	}
	if len(w.runs) != len(grants) && !w.end.reported { // else its run ended before the calm
		w.fail("after 3s of calm weather %d shards run, want %d; the Tracker says %s", len(w.runs), len(grants), statesText(w.tr))
	}
}
