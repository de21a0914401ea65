package shardset

import "time"

// A closed shard that was processed to its end is not granted any more, once the service
// knows. If it goes on granting the shard, one of the two is wrong: the member, which took
// the shard for closed too early, or the service, which never learns. The member cannot
// tell, so it starts the shard again: there it finds what came after the end, or commits
// the same end once more, which changes nothing.
const (
	// closedAnswers is how many answers, to heartbeats that knew of the end, have to grant
	// the shard before it is started again; closedIntervals is how many regular intervals
	// that takes at least, because answers come fast while the set is changing.
	closedAnswers   = 3
	closedIntervals = 3

	// maxClosedPause bounds the pause, which doubles each time that the end comes at once:
	// some services never learn.
	maxClosedPause = 5 * time.Minute
)

// doubtEnd notes when an entry that has just ended is to be started again, should the
// service go on granting it.
func (t *Tracker) doubtEnd(now time.Time, e *entry) {
	first := closedIntervals * t.cfg.Interval
	switch worked := now.Sub(e.since) > e.pause; {
	case e.pause == 0 || worked:
		e.pause = first
	case t.cfg.Finite:
		return // a second look is enough: with many shards, more of them would never let the run end
	default:
		e.pause = min(2*e.pause, max(first, maxClosedPause))
	}
	e.doubtAt, e.answers = now.Add(e.pause), t.answers+closedAnswers
	if t.seq > t.answered {
		e.answers++ // the answer to a heartbeat that does not know of the end
	}
	t.doubtBy(e.doubtAt)
}

func (t *Tracker) doubtBy(at time.Time) {
	if t.doubtAt.IsZero() || at.Before(t.doubtAt) {
		t.doubtAt = at
	}
}

// startAgain starts the shards that have ended and that the service goes on granting. It
// is called when an answer was accepted.
func (t *Tracker) startAgain(now time.Time, p *Plan) {
	if t.leaving || t.doubtAt.IsZero() || now.Before(t.doubtAt) {
		return
	}
	t.doubtAt = time.Time{}
	for _, e := range t.entries.sorted() {
		switch {
		case e.state != StateComplete || e.doubtAt.IsZero():
			continue
		case now.Before(e.doubtAt) || t.answers < e.answers:
			t.doubtBy(e.doubtAt)
			continue
		}
		e.doubtAt = time.Time{}
		delete(t.closed, e.grant.ID)
		t.entries.countComplete(-1)
		t.start(now, e, p)
		p.StillGranted = append(p.StillGranted, e.grant.ID)
		p.Beat = p.Beat || t.cfg.Finite || t.cfg.Completion // else nobody counts it
	}
}
