package coordinator

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// These methods handle the outcome of a request. They pass it to the Tracker, apply the plan, and
// pass the outcome to the Pacer. Only the owner calls them.

func (r *run) onOutcome(now time.Time, o outcome) {
	switch {
	case o.create:
		r.onCreate(now, o)
	case o.err == nil:
		r.checkOrder(o.ordered)
		r.onAnswer(now, o)
	case r.cfg.CreateGroup && errors.Is(o.err, heartbeat.ErrGroupNotFound):
		r.createGroup(now, o)
	default:
		r.onFailure(now, o)
	}
	r.findStalled(now)
}

func (r *run) onAnswer(now time.Time, o outcome) {
	plan, err := r.tracker.Accepted(now, o.beat.Seq, o.answer)
	r.followTTL(o.answer.TTL)
	var interval *shardset.IntervalError
	final := errors.As(err, &interval)
	r.noteBeat(now, o, err, final)
	r.apply(now, plan)
	if err == nil {
		r.logWaiting(now, o.answer)
		r.pacer.Answered(now, r.tracker.NextHeartbeat(now))
		return
	}
	if errors.Is(err, shardset.ErrStaleAnswer) {
		r.rec.dropped()
	}
	if final {
		r.fail(err) // heartbeats continue, to report the shards that the drain releases
	}
	r.pacer.Failed(now, r.interval, 0, rand.Float64())
}

func (r *run) onFailure(now time.Time, o outcome) {
	plan, next := r.trackFailure(now, o.beat.Seq, o.err)
	r.noteBeat(now, o, o.err, next == stepEnd)
	if errors.Is(o.err, heartbeat.ErrEvicted) {
		r.rec.evicted()
	}
	r.apply(now, plan)
	switch after := heartbeat.RetryAfter(o.err); next {
	case stepRetry:
		r.pacer.Failed(now, r.interval, after, rand.Float64())
	case stepRejoin:
		r.pacer.Rejoin(now, r.interval, after, rand.Float64())
	case stepEnd:
		r.fail(o.err) // the Pacer gets no outcome, so it schedules no more heartbeats
	}
}

// step is what a member does after a heartbeat that failed.
type step uint8

const (
	stepRetry  step = iota + 1 // tries again after a growing pause
	stepRejoin                 // joins again: at once, unless it did so within the last interval
	stepEnd                    // ends Run
)

// trackFailure gives a failure to the Tracker.
func (r *run) trackFailure(now time.Time, seq uint64, err error) (plan shardset.Plan, next step) {
	var replaced *shardset.ReplacedError
	final := true
	switch {
	case errors.Is(err, heartbeat.ErrEvicted):
		return r.tracker.Evicted(now, seq), stepRejoin
	case errors.As(err, &replaced):
		plan, final = r.tracker.Replaced(now, seq, replaced.Newest)
		next = stepRejoin
	case errors.Is(err, heartbeat.ErrReplaced), errors.Is(err, heartbeat.ErrGroupNotFound):
		// Another member may receive the shards at once, so a drain is useless.
		plan = r.tracker.LeaseLost(now)
	case errors.Is(err, heartbeat.ErrUnauthorized) && heartbeat.Retryable(err):
		plan, final = r.tracker.Refused(now)
		next = stepRetry
	default:
		plan, final = r.tracker.Tick(now), !heartbeat.Retryable(err)
		next = stepRetry
	}
	if final {
		next = stepEnd
	}
	return plan, next
}

// createGroup handles a heartbeat that did not find the group. It ends the lease, because another
// process may create the group and receive the shards at once. Then it requests the creation,
// unless this member is leaving. The heartbeat counts as in flight until the creation has an
// outcome.
func (r *run) createGroup(now time.Time, o outcome) {
	r.lastErr = o.err // why the lease is lost: the Member hook shows it
	r.apply(now, r.tracker.Evicted(now, o.beat.Seq))
	if !r.stopBy.IsZero() {
		return // without an outcome the Pacer schedules no more heartbeats
	}
	r.requests <- request{beat: o.beat, create: true, timeout: r.tryTimeout}
}

func (r *run) onCreate(now time.Time, o outcome) {
	if o.err != nil {
		r.onFailure(now, o)
		return
	}
	r.noteBeat(now, o, heartbeat.ErrGroupNotFound, false)
	r.rec.groupCreated()
	r.pacer.Rejoin(now, r.interval, 0, rand.Float64())
}

// checkOrder compares the group's order with Config.Require. It runs before the answer is
// applied, so that a member that has to leave starts no new shard.
func (r *run) checkOrder(ordered bool) {
	if ordered != r.guarantees.Ordered {
		r.guarantees.Ordered = ordered
		r.rec.order(r.guarantees)
	}
	if r.cfg.Require.Ordered && !ordered {
		r.fail(ErrNotOrdered)
	}
}

// followTTL adopts the Tracker's interval. It also adapts the timeout of a heartbeat: otherwise a
// shorter lease could expire during a single try.
func (r *run) followTTL(ttl time.Duration) {
	interval := r.tracker.Interval()
	if interval == r.interval {
		return
	}
	r.rec.interval(interval, r.interval, ttl, r.cfg.firmInterval)
	r.interval = interval
	r.tryTimeout = min(r.cfg.TryTimeout, max(interval/2, shardset.ShortestInterval))
}

// logWaiting logs that the worker of a finite run still waits for its first shard. The worker
// cannot tell why: an empty group looks the same as one whose shards other workers hold.
func (r *run) logWaiting(now time.Time, a shardset.Answer) {
	if !r.cfg.Finite || r.granted {
		return
	}
	if r.granted = len(a.Grants) > 0; r.granted {
		return
	}
	switch {
	case r.logWaitAt.IsZero():
		r.logWaitAt = now.Add(a.TTL)
	case !now.Before(r.logWaitAt):
		r.logWaitAt = now.Add(warnAgain)
		r.rec.waiting()
	}
}

// noteBeat records the outcome of a heartbeat. final: Run ends because of err.
func (r *run) noteBeat(now time.Time, o outcome, err error, final bool) {
	r.lastErr = err
	if err == nil {
		r.lastBeat, r.beatErrors = r.sentAt, 0
	} else {
		r.beatErrors++
	}
	r.rec.heartbeat(HeartbeatEvent{
		Sent: r.sentAt, Took: now.Sub(r.sentAt), Held: len(o.beat.Held), Shards: len(o.answer.Grants), Err: err,
	}, now, final)
}
