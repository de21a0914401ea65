package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// member is a run as its heartbeat loop sees it. The loop calls it from its own
// goroutine; each call goes through the owner.
type member run

// Request implements heartbeat.Member.
func (m *member) Request(now time.Time) (req shardset.Heartbeat, needed bool) {
	r := (*run)(m)
	r.do(func() {
		// Zero: it lost its lease while it leaves, and must not join again.
		if needed = !r.tracker.NextHeartbeat(now).IsZero(); needed {
			req = r.request(now)
		}
	})
	return req, needed
}

// NextBeat implements heartbeat.Member.
func (m *member) NextBeat(now time.Time) (at time.Time) {
	r := (*run)(m)
	r.do(func() { at = r.tracker.NextHeartbeat(now) })
	return at
}

// Outcome implements heartbeat.Member.
func (m *member) Outcome(now time.Time, req shardset.Heartbeat, a shardset.Answer, err error) heartbeat.Verdict {
	r := (*run)(m)
	if r.ctx.Err() != nil {
		return heartbeat.VerdictStop
	}
	if r.cfg.CreateGroup && errors.Is(err, heartbeat.ErrGroupNotFound) {
		if !r.groupGone(now) {
			return heartbeat.VerdictStop
		}
		err = r.createGroup()
		now = time.Now()
	}
	ordered := r.cfg.Group.Info().Guarantees.Ordered // a client's code: not for the owner
	verdict := heartbeat.VerdictStop                 // without an owner
	r.do(func() {
		if err == nil {
			r.checkOrder(ordered)
		}
		verdict = r.outcome(now, req, a, err)
		r.findStalled(now)
	})
	return verdict
}

// groupGone ends the lease, because whoever makes the group anew may be given the
// shards at once. It reports whether this member still wants a group.
func (r *run) groupGone(now time.Time) (wanted bool) {
	r.do(func() {
		r.applyPlan(now, r.tracker.LeaseLost(now))
		wanted = r.stopBy.IsZero()
	})
	return wanted
}

// createGroup makes the group anew. A group that was gone knows no member of the old
// one, so success is an eviction.
func (r *run) createGroup() error {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.TryTimeout)
	defer cancel()
	// New has checked that the service can.
	if err := r.cfg.Group.(heartbeat.Creator).Create(ctx); err != nil {
		return err
	}
	return heartbeat.ErrEvicted
}

// outcome tells the Tracker how a heartbeat went. Owner only.
func (r *run) outcome(now time.Time, req shardset.Heartbeat, a shardset.Answer, err error) heartbeat.Verdict {
	if err == nil {
		return r.answered(now, req, a)
	}
	plan, verdict := r.heartbeatFailed(now, req.Seq, err)
	r.heard(now, req, a, err, verdict == heartbeat.VerdictStop)
	if errors.Is(err, heartbeat.ErrEvicted) {
		r.rec.evicted()
	}
	r.applyPlan(now, plan)
	if verdict == heartbeat.VerdictStop {
		r.fail(err)
	}
	return verdict
}

// heartbeatFailed tells the Tracker so, and returns how the member goes on. Owner only.
func (r *run) heartbeatFailed(now time.Time, seq uint64, err error) (plan shardset.Plan, v heartbeat.Verdict) {
	var replaced *shardset.ReplacedError
	final := true
	switch {
	case errors.Is(err, heartbeat.ErrEvicted):
		return r.tracker.Evicted(now, seq), heartbeat.VerdictRejoin
	case errors.As(err, &replaced):
		plan, final = r.tracker.Replaced(now, seq, replaced.Newest)
		v = heartbeat.VerdictRejoin
	case errors.Is(err, heartbeat.ErrReplaced), errors.Is(err, heartbeat.ErrGroupNotFound):
		// Somebody else may be given the shards at once: there is nothing to drain for.
		plan = r.tracker.LeaseLost(now)
	case errors.Is(err, heartbeat.ErrUnauthorized) && heartbeat.Retryable(err):
		plan, final = r.tracker.Refused(now)
		v = heartbeat.VerdictRetry
	default:
		plan, final = r.tracker.Failed(now), !heartbeat.Retryable(err)
		v = heartbeat.VerdictRetry
	}
	if final {
		v = heartbeat.VerdictStop
	}
	return plan, v
}

// checkOrder compares the group with what it has to be, before its answer is obeyed: a
// member that leaves takes nothing new.
func (r *run) checkOrder(ordered bool) {
	if ordered != r.guarantees.Ordered {
		r.guarantees.Ordered = ordered
		r.rec.order(r.guarantees)
	}
	if r.cfg.Require.Ordered && !ordered {
		r.fail(ErrNotOrdered)
	}
}

func (r *run) answered(now time.Time, req shardset.Heartbeat, a shardset.Answer) heartbeat.Verdict {
	plan, err := r.tracker.Accepted(now, req.Seq, a)
	r.followTTL(a.TTL)
	var interval *shardset.IntervalError
	final := errors.As(err, &interval)
	r.heard(now, req, a, err, final)
	r.applyPlan(now, plan)
	if err == nil {
		r.waitsForShards(now, a)
		return heartbeat.VerdictCarry
	}
	if errors.Is(err, shardset.ErrStaleAnswer) {
		r.rec.dropped()
	}
	if final {
		r.fail(err) // heartbeats go on, to tell what the drain gives up
	}
	return heartbeat.VerdictRetry
}

// followTTL has the loop keep to the Tracker's interval. A heartbeat that may take as
// long as one of the old pace could cost the shorter lease.
func (r *run) followTTL(ttl time.Duration) {
	interval := r.tracker.Interval()
	if interval == r.interval {
		return
	}
	r.rec.interval(interval, r.interval, ttl, r.cfg.firmInterval)
	r.interval = interval
	r.loop.SetPace(interval, min(r.cfg.TryTimeout, max(interval/2, shardset.ShortestInterval)))
}

// waitsForShards says what the worker of a finite run waits for if it is granted nothing:
// it cannot tell an empty group from one whose shards other workers have.
func (r *run) waitsForShards(now time.Time, a shardset.Answer) {
	if !r.cfg.Finite || r.granted {
		return
	}
	if r.granted = len(a.Grants) > 0; r.granted {
		return
	}
	switch {
	case r.waitSayAt.IsZero():
		r.waitSayAt = now.Add(a.TTL)
	case !now.Before(r.waitSayAt):
		r.waitSayAt = now.Add(warnAgain)
		r.rec.waiting()
	}
}

// heard notes how a heartbeat went, and whether Run ends because of that.
func (r *run) heard(now time.Time, req shardset.Heartbeat, a shardset.Answer, err error, final bool) {
	r.lastErr = err
	if err == nil {
		r.lastBeat, r.beatErrors = r.sentAt, 0
	} else {
		r.beatErrors++
	}
	r.rec.heartbeat(HeartbeatEvent{
		Sent: r.sentAt, Took: now.Sub(r.sentAt), Held: len(req.Held), Shards: len(a.Grants), Err: err,
	}, now, final)
}
