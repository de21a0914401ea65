package shardset

import "time"

// loseLease ends the lease for good. Every shard is cancelled; what was only reported,
// not running, is dropped. The member goes on as a new instance of its name, which
// has heard nothing and re-adopts nothing.
func (t *Tracker) loseLease(now time.Time, p *Plan) {
	for _, e := range t.entries.sorted() {
		switch e.state {
		case StateHeld, StateDraining:
			t.stop(now, e, StateCancelled, CauseLost, p)
		case StateCancelled:
			e.cause = CauseLost // whatever it was before: its outcome is void
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

// shortenLease ends the lease earlier if an answer that is refused says so: the group's
// TTL was made shorter meanwhile, and the newest heartbeat, which this answers, set
// when the service may give the shards away.
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

// setLease gives a plan the new end of the lease. What restarts at this event starts under
// that one.
func (p *Plan) setLease(deadline time.Time) {
	p.NotAfter = deadline
	for i := range p.Start {
		p.Start[i].NotAfter = deadline
	}
}
