package shardset

import "time"

// completion is what the member of a finite run knows about the end of the run.
type completion struct {
	completedOne bool      // a processor of this member has completed a shard, under any lease
	ofGroup      bool      // the newest accepted answer has Complete set
	sentAt       time.Time // when the heartbeat for that answer left
	idleSince    time.Time // since when the member has had nothing to do; zero: it has work
	reported     bool      // Plan.Complete was set
}

// noteCompletion stores what an accepted answer says about the end of the run.
func (t *Tracker) noteCompletion(a Answer) {
	t.completion.ofGroup, t.completion.sentAt = a.Complete, t.sentAt
}

// decideCompletion decides at the end of every event whether the member of a finite run has
// nothing left to do.
//
// A service that counts complete shards reports the end itself (Answer.Complete). Without such
// a service, the member waits for one TTL. If another member crashed before this wait, its
// shards become free during the wait. This member gets them with the answer to its next
// heartbeat. So it also waits for the answer to a heartbeat that left after the TTL.
//
// Example: heartbeats every 2s, TTL 6s. At 0s this member becomes idle, and another member
// crashes. Its shards become free at 6s. The answer to the heartbeat of 5s may not list them
// yet.
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
// complete. If the service does not count complete shards, the member must also have completed
// a shard itself: a standby has no shards either, while other members still work.
func (t *Tracker) nothingToDo() bool {
	return !t.deadline.IsZero() && t.entries.completeCount == t.entries.len() && t.entries.len() == len(t.assigned) &&
		(t.cfg.Completion || t.completion.completedOne)
}
