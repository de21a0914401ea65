package shardset

import (
	"math"
	"time"
)

// Tick is the event of time passing: a lease ends, a drain takes too long, the pause before a
// restart is over. A heartbeat without a usable answer is no more than that: one failure
// loses nothing, and the lease goes on until its end.
func (t *Tracker) Tick(now time.Time) Plan { return t.finish(now, t.tick(now)) }

// Refused is the event of a heartbeat that was refused for a reason that may pass, such
// as credentials that are about to be replaced. The member tries again while its lease
// lasts; without a lease it tries for one TTL. After that the second result is true: the
// refusal is final.
func (t *Tracker) Refused(now time.Time) (p Plan, final bool) {
	p = t.tick(now)
	switch {
	case !t.refusedUntil.IsZero():
	case !t.deadline.IsZero():
		t.refusedUntil = t.deadline
	case t.ttl > 0:
		t.refusedUntil = now.Add(t.ttl)
	default:
		t.refusedUntil = now.Add(t.cfg.TTL)
	}
	return t.finish(now, p), !before(now, t.refusedUntil)
}

// LeaseLost is the event of somebody with a later clock reading than the Tracker's having
// seen the lease end, a processor about to commit for instance. An expired lease stays
// expired, so the Tracker follows.
func (t *Tracker) LeaseLost(now time.Time) Plan {
	p := t.tick(now)
	if !t.deadline.IsZero() { // else it is lost, and a new one may be under way
		t.loseLease(now, &p)
	}
	return t.finish(now, p)
}

// Evicted is the event of the service saying, to heartbeat seq, that it does not
// know this member. The lease is lost, and the next heartbeat joins with an
// empty list, because the service accepts nothing else from a member that it does not
// know. An outcome of any but the newest heartbeat changes nothing.
func (t *Tracker) Evicted(now time.Time, seq uint64) Plan {
	p := t.tick(now)
	if seq == t.seq && seq > t.voidUpTo {
		t.refusedUntil = time.Time{}
		t.loseLease(now, &p)
		t.joinEmpty = true
	}
	return t.finish(now, p)
}

// instanceStep is how far a process that comes too late, by its clock, jumps ahead of
// the instance that has its name. It is more than the ones that a Tracker adds at the
// end of each lease: the other instance must not arrive at the same number and with it at
// the same fencing token.
const instanceStep = 1 << 20

// instanceAbove returns an instance that is at least one step above newest and has the low bits of
// own. A process chooses those by chance: two processes that jump past the same instance
// must not reach the same number, which would give both the same fencing token.
func instanceAbove(own, newest uint64) uint64 {
	return newest - newest%instanceStep + 2*instanceStep + own%instanceStep
}

// Replaced is the event of the service saying, to heartbeat seq, that instance
// newest has this member's name. A process that never joined takes a larger number
// and tries again: its own clock was behind. A process that had joined loses its lease for
// good, and the second result is true.
func (t *Tracker) Replaced(now time.Time, seq, newest uint64) (p Plan, final bool) {
	p = t.tick(now)
	if seq != t.seq || seq <= t.voidUpTo {
		return t.finish(now, p), false
	}
	if !t.joined && newest <= math.MaxUint64-3*instanceStep {
		t.instance = instanceAbove(t.instance, newest)
		t.voidUpTo = t.seq
		p.Beat = true
		return t.finish(now, p), false
	}
	t.loseLease(now, &p)
	p.Beat = false
	return t.finish(now, p), true
}

// Returned is the event of a shard's processor goroutine having returned, with its
// last commit settled. Only now can the shard leave the list.
func (t *Tracker) Returned(now time.Time, id ID, o Outcome) Plan {
	p := t.tick(now)
	e := t.entries.get(id)
	if e == nil || e.state == StateRestarting || e.state == StateComplete {
		return t.finish(now, p) // nothing runs
	}
	if o == OutcomeClosed && e.cause != CauseLost {
		t.closed[id] = t.seq + 1
		t.completion.completedOne = true
		p.Beat = true
	}
	continues := e.state == StateHeld && !t.leaving
	switch {
	case continues && (o == OutcomeComplete || o == OutcomeClosed):
		t.complete(now, e, o, &p)
	case continues && o == OutcomeFailed:
		e.since = now
		t.schedule(e, StateRestarting, now.Add(t.cfg.RestartPause))
	default:
		if o == OutcomeFenced {
			t.notBefore[id] = now.Add(t.cfg.RestartPause)
		}
		t.remove(e)
		t.unsettle(now)
		p.Beat = true
	}
	return t.finish(now, p)
}

// complete keeps a shard whose work is complete.
func (t *Tracker) complete(now time.Time, e *entry, o Outcome, p *Plan) {
	if o == OutcomeClosed {
		t.scheduleRecheck(now, e)
	}
	e.state, e.since = StateComplete, now
	t.entries.countComplete(1)
	t.completion.completedOne = true
	p.Beat = p.Beat || t.cfg.Finite || t.cfg.Completion // else nothing counts complete shards
}

// Leave is the event of the member being asked to leave: it takes no more shards and
// drains all that it has in parallel. Heartbeats go on until Plan.Left.
func (t *Tracker) Leave(now time.Time) Plan {
	p := t.tick(now)
	if t.leaving {
		return t.finish(now, p)
	}
	t.leaving = true
	t.leaveUntil = now.Add(t.cfg.DrainTimeout + leaveGrace)
	for _, e := range t.entries.sorted() {
		t.stopOrRemove(now, e, StateDraining, CauseShutdown, &p)
	}
	return t.finish(now, p)
}

// leaveGrace is how long a leaving member waits for processors after it has
// cancelled their contexts at the end of the drain. Those that still run are stuck.
const leaveGrace = 50 * time.Millisecond
