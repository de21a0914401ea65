package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// followUp tells the Tracker of an event that a plan has caused, for example that a shard was
// cancelled before it started. It returns the Tracker's plan for this event.
type followUp func() shardset.Plan

// apply applies a plan, and then the plans of its followUps, one after the other. Owner only.
func (r *run) apply(now time.Time, p shardset.Plan) {
	queue := r.applyPlan(now, p)
	for len(queue) > 0 {
		event := queue[0]
		queue = append(queue[1:], r.applyPlan(now, event())...)
	}
}

// applyPlan applies one plan, in the order of its fields, and returns the followUps.
func (r *run) applyPlan(now time.Time, p shardset.Plan) (next []followUp) {
	for _, s := range p.Cancel {
		if !r.cancel(s) {
			next = append(next, func() shardset.Plan { return r.tracker.Returned(now, s.ID, shardset.OutcomeReleased) })
		}
	}
	if p.LeaseLost && r.lease != nil { // else there was no lease to lose, only a join that failed
		r.lease.End()
		r.lease = nil
		r.rec.leaseLost(len(p.Cancel))
	}
	for _, id := range p.Stuck {
		r.markStuck(id)
	}
	if !p.NotAfter.IsZero() && !r.extendLease(now, p) {
		// A processor read the clock later than the owner, and found that the lease has
		// expired. That is final: the member joins again, and the group grants the shards
		// again.
		return append(next, func() shardset.Plan { return r.tracker.LeaseLost(now) })
	}
	for _, s := range p.Revoke {
		cause := causeOf(s.Cause)
		r.rec.shard(r.stopEvent(event.Draining, s, cause))
		r.runs[s.ID].Revoke(cause)
	}
	for _, l := range p.Start {
		if slices.Contains(p.StillGranted, l.ID) {
			r.rec.shard(event.Event{Kind: event.AssignedAgain, Lease: l})
		}
		r.start(l)
	}
	if p.Beat {
		r.pacer.Wake(now)
	}
	setTimer(r.wakeTimer, p.WakeAt)
	r.left = r.left || p.Left
	r.reportState()
	if p.Complete {
		next = append(next, func() shardset.Plan {
			r.rec.complete()
			return r.beginLeave(now)
		})
	}
	return next
}

// cancel cancels a shard's context. It returns false if the shard has not started: then it has no
// goroutine that could return.
func (r *run) cancel(s shardset.Stop) bool {
	cause := causeOf(s.Cause)
	run := r.runs[s.ID]
	if run == nil {
		return false
	}
	r.rec.shard(r.stopEvent(event.Cancelled, s, cause))
	run.Cancel(cause)
	return true
}

func (r *run) stopEvent(kind event.Kind, s shardset.Stop, cause error) event.Event {
	_, stalled := r.stalled[s.ID]
	return event.Event{Kind: kind, Lease: shardset.Lease{ID: s.ID, Epoch: s.Epoch}, Err: cause, Stuck: stalled}
}

// extendLease returns false if the lease has expired.
func (r *run) extendLease(now time.Time, p shardset.Plan) bool {
	if r.lease != nil {
		return r.lease.Extend(now, p.NotAfter)
	}
	r.lease = runner.NewMemberLease(p.NotAfter)
	r.joined = true
	r.rec.joined(r.tracker.Instance(), len(p.Start))
	return true
}

func (r *run) markStuck(id shardset.ID) {
	if run := r.runs[id]; run != nil { // nil: it has just returned
		r.stuck[id] = true
		r.rec.shard(event.Event{Kind: event.Stuck, Lease: lease(id, run)})
	}
}

// reportState calls the Member hook if the member's state has changed.
func (r *run) reportState() {
	if s := r.state(); s != r.reported {
		r.reported = s
		r.rec.state(s, r.tracker.Instance(), errors.Join(r.failure, r.lastErr))
	}
}

// start launches the goroutine of one shard's processor. Revoke and Cancel stop it. The owner
// reports the shard as held until the goroutine has called returned.
func (r *run) start(l shardset.Lease) {
	run := r.runner.New(r.base, l, r.tracker.Instance(), r.lease)
	r.runs[l.ID] = run
	r.rec.shard(event.Event{Kind: event.Assigned, Lease: l})
	r.tasks.launch(func() {
		run.Do(func(o shardset.Outcome) {
			r.do(func() { r.returned(l, o, run.Fatal()) })
		})
	})
}

// returned handles the return of a shard's processor. Owner only.
func (r *run) returned(l shardset.Lease, o shardset.Outcome, fatal error) {
	delete(r.runs, l.ID)
	delete(r.stuck, l.ID)
	delete(r.stalled, l.ID)
	now := time.Now()
	plan := r.tracker.Returned(now, l.ID, o)
	stopped := event.Event{Kind: event.Stopped, Lease: l, Outcome: o}
	if held, ok := r.tracker.Shard(l.ID); ok && fatal == nil { // a fatal error releases all shards
		stopped.HeldAs = held.State
	}
	r.rec.shard(stopped)
	r.apply(now, plan)
	if fatal != nil {
		r.fail(fmt.Errorf("shard %s: %w", l.ID, fatal))
	}
}

func causeOf(c shardset.Cause) error {
	switch c {
	case shardset.CauseRevoked:
		return processor.ErrRevoked
	case shardset.CauseShutdown:
		return processor.ErrShutdown
	}
	return processor.ErrLeaseLost
}
