package shardset

import "time"

// A closed shard that was processed to its end is not granted any more, once the service
// knows. If it goes on granting the shard, one of the two is wrong: the member, which took
// the shard for closed too early, or the service, which never learns. The member cannot
// tell, so it starts the shard again: there it finds what came after the end, or commits
// the same end once more, which changes nothing.
const (
	// endedAnswers is how many answers, to heartbeats that knew of the end, have to grant
	// the shard before it is started again; endedIntervals is how many regular intervals
	// that takes at least, because answers come fast while the set is changing.
	endedAnswers   = 3
	endedIntervals = 3

	// maxEndedPause bounds the pause, which doubles each time that the end comes at once:
	// some services never learn.
	maxEndedPause = 5 * time.Minute
)

// doubtEnd notes when an entry that has just ended is to be started again, should the
// service go on granting it.
func (t *Tracker) doubtEnd(now time.Time, e *entry) {
	first := endedIntervals * t.cfg.Interval
	switch worked := now.Sub(e.since) > e.pause; {
	case e.pause == 0 || worked:
		e.pause = first
	case t.cfg.Finite:
		return // a second look is enough: with many shards, more of them would never let the run end
	default:
		e.pause = min(2*e.pause, max(first, maxEndedPause))
	}
	e.againAt, e.answers = now.Add(e.pause), t.answers+endedAnswers
	if t.seq > t.answered {
		e.answers++ // the answer to a heartbeat that does not know of the end
	}
	t.againBy(e.againAt)
}

func (t *Tracker) againBy(at time.Time) {
	if t.againAt.IsZero() || at.Before(t.againAt) {
		t.againAt = at
	}
}

// startAgain starts the shards that have ended and that the service goes on granting. It
// is called when an answer was accepted.
func (t *Tracker) startAgain(now time.Time, p *Plan) {
	if t.leaving || t.againAt.IsZero() || now.Before(t.againAt) {
		return
	}
	t.againAt = time.Time{}
	for id, e := range t.entries.all() {
		switch {
		case e.state != StateComplete || e.againAt.IsZero():
			continue
		case now.Before(e.againAt) || t.answers < e.answers:
			t.againBy(e.againAt)
			continue
		}
		e.againAt = time.Time{}
		delete(t.ended, id)
		t.doneCount--
		t.doneDirty = true
		t.start(now, e, p)
		p.StillGranted = append(p.StillGranted, id)
		p.Beat = p.Beat || t.cfg.Finite || t.cfg.Completion // else nobody counts it
	}
}
