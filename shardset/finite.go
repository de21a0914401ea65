package shardset

import "time"

// completion is what the member of a finite run knows of the run's end.
type completion struct {
	completedOne bool      // a processor of this member has completed its shard, ever
	ofGroup      bool      // the newest accepted answer said Complete
	sentAt       time.Time // when the heartbeat left that it answers
	idleSince    time.Time // from when on the member has had nothing to do; zero: it has something
	reported     bool      // Plan.Complete was true
}

// noteCompletion notes what an accepted answer says about the end.
func (t *Tracker) noteCompletion(a Answer) {
	t.completion.ofGroup, t.completion.sentAt = a.Complete, t.sentAt
}

// decideCompletion decides at the end of every event whether the member of a finite run has
// nothing left to do.
//
// A service that counts says so itself. With one that does not, a member waits for one TTL:
// by then, the shards of a member that crashed before the wait are free. They come with the
// answer to the next heartbeat, so the member also waits for the answer to a heartbeat that
// left after the TTL. Heartbeats every 2s, TTL 6s: we are idle from 0s on, another member
// crashed at 0s. Its shards are free at 6s, and the answer to our heartbeat of 5s may not
// have them yet.
func (t *Tracker) decideCompletion(now time.Time, p *Plan) {
	if !t.cfg.Finite {
		return
	}
	if !t.nothingToDo() {
		t.completion.idleSince = time.Time{}
		return
	}
	if t.completion.idleSince.IsZero() {
		t.completion.idleSince = now
	}
	if t.completion.reported {
		return
	}
	p.Complete = t.completion.ofGroup
	if !t.cfg.Completion {
		until := t.completion.idleSince.Add(t.ttl)
		p.Complete = !t.completion.sentAt.Before(until)
		switch {
		case now.Before(until):
			p.WakeAt = earliest(p.WakeAt, until)
		case t.sentAt.Before(until):
			p.Beat = true
		}
	}
	t.completion.reported = p.Complete
}

// nothingToDo reports whether the member has a lease and all shards assigned to it are
// complete. If the service does not count, the member must have completed one itself:
// otherwise it may be the standby of members that still work.
func (t *Tracker) nothingToDo() bool {
	return !t.deadline.IsZero() && t.entries.completeCount == t.entries.len() && t.entries.len() == len(t.assigned) &&
		(t.cfg.Completion || t.completion.completedOne)
}
