package shardset

import "time"

// A member reports a closed shard that it has processed to the end, and the service then stops
// granting the shard. If the service still grants it, either the shard was not closed yet, or
// the service ignores such reports. The member cannot tell which, so it starts the shard again.
// The new processor finds more data, or commits the same end once more, which changes nothing.
const (
	// The shard starts again after closedAnswers answers to heartbeats that reported the end.
	// closedIntervals regular intervals must pass as well, because answers come faster while
	// the set of shards is changing.
	closedAnswers   = 3
	closedIntervals = 3

	// maxClosedPause bounds the pause before the next start. The pause doubles each time the
	// processor reaches the end at once, because some services always ignore the report.
	maxClosedPause = 5 * time.Minute
)

// scheduleRecheck sets when a closed shard starts again after its processor has reached the end.
// The shard starts only if the service still grants it then.
func (t *Tracker) scheduleRecheck(now time.Time, e *entry) {
	first := closedIntervals * t.cfg.Interval
	switch ranLong := now.Sub(e.since) > e.pause; {
	case e.pause == 0 || ranLong:
		e.pause = first
	case t.cfg.Finite:
		return // one more start is enough; more starts of many shards would delay the end of the run
	default:
		e.pause = min(2*e.pause, max(first, maxClosedPause))
	}
	e.recheckAt, e.answers = now.Add(e.pause), t.answers+closedAnswers
	if t.seq > t.answered {
		e.answers++ // the heartbeat in flight does not report the end
	}
	t.recheckBy(e.recheckAt)
}

// recheckBy makes the Tracker check complete shards at the given time or earlier.
func (t *Tracker) recheckBy(at time.Time) {
	if t.recheckAt.IsZero() || at.Before(t.recheckAt) {
		t.recheckAt = at
	}
}

// startAgain starts the closed shards that the service still grants after their pause. Accepted
// calls it.
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
		p.Beat = p.Beat || t.cfg.Finite || t.cfg.Completion // without both, nothing uses Heartbeat.Complete
	}
}
