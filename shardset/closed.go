package shardset

import "time"

// Once the service knows that a closed shard was processed to its end, it stops granting
// the shard. If it still grants the shard, either the member took the shard for closed too
// early, or the service does not use the report. The member cannot tell which, so it starts
// the shard again. The new processor finds what came after the end, or commits the same end
// once more, which changes nothing.
const (
	// closedAnswers is how many answers to heartbeats that reported the end must grant the
	// shard before it is started again. closedIntervals is how many regular intervals
	// must pass as well, because answers come fast while the set is changing.
	closedAnswers   = 3
	closedIntervals = 3

	// maxClosedPause bounds the pause, which doubles each time that the end comes at once:
	// some services never use the report.
	maxClosedPause = 5 * time.Minute
)

// scheduleRecheck notes when a shard that was just processed to its end starts again, if the
// service still grants it then.
func (t *Tracker) scheduleRecheck(now time.Time, e *entry) {
	first := closedIntervals * t.cfg.Interval
	switch worked := now.Sub(e.since) > e.pause; {
	case e.pause == 0 || worked:
		e.pause = first
	case t.cfg.Finite:
		return // one more start is enough: with many shards, more of them would keep the run from its end
	default:
		e.pause = min(2*e.pause, max(first, maxClosedPause))
	}
	e.recheckAt, e.answers = now.Add(e.pause), t.answers+closedAnswers
	if t.seq > t.answered {
		e.answers++ // the heartbeat in flight does not report the end
	}
	t.recheckBy(e.recheckAt)
}

// recheckBy makes the Tracker look at complete shards again at this time, or before.
func (t *Tracker) recheckBy(at time.Time) {
	if t.recheckAt.IsZero() || at.Before(t.recheckAt) {
		t.recheckAt = at
	}
}

// startAgain starts the shards that were processed to their end and that the service still
// grants. Accepted calls it.
func (t *Tracker) startAgain(now time.Time, p *Plan) {
	if t.leaving || t.recheckAt.IsZero() || now.Before(t.recheckAt) {
		return
	}
	t.recheckAt = time.Time{}
	for _, e := range t.entries.sorted() {
		switch {
		case e.state != StateComplete || e.recheckAt.IsZero():
			continue
		case now.Before(e.recheckAt) || t.answers < e.answers:
			t.recheckBy(e.recheckAt)
			continue
		}
		e.recheckAt = time.Time{}
		delete(t.closed, e.grant.ID)
		t.entries.countComplete(-1)
		t.start(now, e, p)
		p.StillGranted = append(p.StillGranted, e.grant.ID)
		p.Beat = p.Beat || t.cfg.Finite || t.cfg.Completion // else nothing counts complete shards
	}
}
