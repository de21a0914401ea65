package shardset

import "time"

// ending is what the member of a finite run knows of the run's end.
type ending struct {
	worked   bool      // a processor of this member has finished its shard, ever
	all      bool      // the newest accepted answer said Finished
	sentAt   time.Time // when the heartbeat left that it answers
	since    time.Time // the member has had nothing to do from then on; zero: it has
	reported bool      // Plan.Complete was true
}

// noteCompletion notes what an accepted answer says about the end.
func (t *Tracker) noteCompletion(a Answer) {
	t.ending.all, t.ending.sentAt = a.Complete, t.sentAt
}

// decideCompletion decides at the end of every event whether the member of a finite run has
// nothing left to do.
//
// A service that counts says so itself. Without one, a member waits for a TTL. What a
// member held that fell silent before the wait is free by then, and comes with the
// answer to the next heartbeat; so it is not the end of the wait that counts but the
// answer to a heartbeat that left after it. Heartbeats every 2s, TTL 6s: we are idle
// from 0s on, another crashed at 0s; its shards are free at 6s, and our heartbeat of 5s
// knows nothing of that.
func (t *Tracker) decideCompletion(now time.Time, p *Plan) {
	if !t.cfg.Finite {
		return
	}
	if !t.nothingToDo() {
		t.ending.since = time.Time{}
		return
	}
	if t.ending.since.IsZero() {
		t.ending.since = now
	}
	if t.ending.reported {
		return
	}
	p.Complete = t.ending.all
	if !t.cfg.Completion {
		until := t.ending.since.Add(t.ttl)
		p.Complete = !t.ending.sentAt.Before(until)
		switch {
		case now.Before(until):
			p.WakeAt = earliest(p.WakeAt, until)
		case t.sentAt.Before(until):
			p.Beat = true
		}
	}
	t.ending.reported = p.Complete
}

// nothingToDo reports whether the member has a lease and, under it, nothing but shards
// that are done. Without a service that counts, one that never finished any may be a
// standby of others that are still at work.
func (t *Tracker) nothingToDo() bool {
	return !t.deadline.IsZero() && t.entries.completeCount == t.entries.len() && t.entries.len() == len(t.assigned) &&
		(t.cfg.Completion || t.ending.worked)
}
