package shardset

import "time"

// loseLease ends the lease for good. It cancels every shard that has a processor, and removes the
// others. The member continues as a new instance of its name with an empty assignment.
func (t *Tracker) loseLease(now time.Time, p *Plan) {
	for _, e := range t.entries.sorted() {
		switch e.state {
		case StateHeld, StateDraining:
			t.stop(now, e, StateCancelled, CauseLost, p)
		case StateCancelled:
			e.cause = CauseLost // also after another cause: Returned then ignores OutcomeClosed
		case StateRestarting, StateComplete:
			t.remove(e)
		}
	}
	t.assigned, t.diffDue = nil, false
	clear(t.closed)
	t.completion = completion{completedOne: t.completion.completedOne}
	t.deadline = time.Time{}
	t.generation = 0
	t.voidUpTo = t.seq
	if t.instance != 0 {
		t.instance++
	}
	t.unsettle(now)
	p.LeaseLost = true
	p.Beat = true
}

// shortenLease ends the lease earlier if a refused answer has a shorter TTL. The service has
// received the newest heartbeat, and may grant the shards to other members after the shorter TTL.
func (t *Tracker) shortenLease(now time.Time, ttl time.Duration, p *Plan) {
	deadline := t.sentAt.Add(ttl - Margin(ttl))
	if ttl <= 0 || t.deadline.IsZero() || !deadline.Before(t.deadline) {
		return
	}
	if !before(now, deadline) {
		t.loseLease(now, p)
		return
	}
	t.deadline = deadline
	p.setLease(deadline)
}

// setLease sets the new end of the lease, also for the shards that the plan starts already.
func (p *Plan) setLease(deadline time.Time) {
	p.NotAfter = deadline
	for i := range p.Start {
		p.Start[i].NotAfter = deadline
	}
}
