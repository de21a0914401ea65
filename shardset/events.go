package shardset

import (
	"math"
	"time"
)

// Tick handles what is due at now: the end of a lease, of a drain, or of the pause before a
// restart. Call it also after a heartbeat that failed: the lease continues until its end.
func (t *Tracker) Tick(now time.Time) Plan { return t.finish(now, t.tick(now)) }

// Refused handles a heartbeat that the service refused for a reason that may pass, such as
// credentials that will be replaced soon. The member tries again while its lease lasts, or for
// one TTL if it has no lease. After that final is true.
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

// LeaseLost handles the end of the lease if another goroutine has seen it before the Tracker, for
// example at a check before a commit. That goroutine has stopped working, so the lease is lost for
// the Tracker too.
func (t *Tracker) LeaseLost(now time.Time) Plan {
	p := t.tick(now)
	if !t.deadline.IsZero() { // otherwise the lease is lost already
		t.loseLease(now, &p)
	}
	return t.finish(now, p)
}

// Evicted handles an answer to heartbeat seq that says that the service does not know this
// member. The lease is lost. The next heartbeat joins with an empty list, because the service
// accepts no other heartbeat from an unknown member. If seq is not the newest heartbeat, Evicted
// changes nothing.
func (t *Tracker) Evicted(now time.Time, seq uint64) Plan {
	p := t.tick(now)
	if seq == t.seq && seq > t.voidUpTo {
		t.refusedUntil = time.Time{}
		t.loseLease(now, &p)
		t.joinEmpty = true
	}
	return t.finish(now, p)
}

// instanceStep is the least distance between the instance that has the name now and the one that a
// process with a slow clock takes. A Tracker adds one for each lost lease, and loses far fewer
// leases than this distance. So the two processes never have the same instance, and never the same
// fencing token.
const instanceStep = 1 << 20

// instanceAbove returns an instance that is at least one step above newest and has the low bits of
// own. The low bits are random, so two processes with the same newest get different instances. With
// the same instance, both would have the same fencing token.
func instanceAbove(own, newest uint64) uint64 {
	return newest - newest%instanceStep + 2*instanceStep + own%instanceStep
}

// Replaced handles an answer to heartbeat seq that says that instance newest has this member's
// name. If this process has never joined, its clock may be slow: it takes a larger instance and
// tries again. If it has joined, another process has replaced it: the lease is lost, and final is
// true.
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

// Returned handles the return of a shard's processor goroutine. Call it after the last commit is
// settled, because the next heartbeat may leave the shard out.
func (t *Tracker) Returned(now time.Time, id ID, o Outcome) Plan {
	p := t.tick(now)
	e := t.entries.get(id)
	if e == nil || e.state == StateRestarting || e.state == StateComplete {
		return t.finish(now, p) // no processor runs
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

// complete keeps a shard held after its work is complete.
func (t *Tracker) complete(now time.Time, e *entry, o Outcome, p *Plan) {
	if o == OutcomeClosed {
		t.scheduleRecheck(now, e)
	}
	e.state, e.since = StateComplete, now
	t.entries.countComplete(1)
	t.completion.completedOne = true
	p.Beat = p.Beat || t.cfg.Finite || t.cfg.Completion // without both, nothing uses Heartbeat.Complete
}

// Leave handles the request to leave the group. The member takes no more shards, and drains all
// held ones in parallel. It sends heartbeats until Plan.Left.
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

// leaveGrace is how long a leaving member waits for processors after the drain, once their
// contexts are cancelled. Processors that still run then are stuck.
const leaveGrace = 50 * time.Millisecond
