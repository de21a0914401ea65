package coordinator

import (
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// applyPlan does what a plan says, in the order of its fields. Owner only.
func (r *run) applyPlan(now time.Time, p shardset.Plan) {
	var absent []shardset.ID // cancelled before they were started
	for _, s := range p.Cancel {
		cause := causeOf(s.Cause)
		r.rec.cancelled(s, cause)
		if run := r.runs[s.ID]; run != nil {
			run.Cancel(cause)
		} else {
			absent = append(absent, s.ID)
		}
	}
	if p.LeaseLost && r.term != nil { // else there was no lease to lose, only a join that failed
		r.term.End()
		r.term = nil
		r.rec.lapsed(len(p.Cancel))
	}
	if !p.NotAfter.IsZero() {
		if r.term == nil {
			r.term = runner.NewTerm(p.NotAfter)
			r.joined = true
			r.rec.joined(r.tracker.Instance(), len(p.Start))
		} else if !r.term.Extend(now, p.NotAfter) {
			// Some processor looked at a later clock than ours and found the lease
			// over. The latch wins: what the answer gave is taken afresh.
			r.applyPlan(now, r.tracker.LeaseLost(now))
			return
		}
	}
	for _, s := range p.Revoke {
		cause := causeOf(s.Cause)
		r.rec.draining(s, cause)
		r.runs[s.ID].Revoke(cause)
	}
	for _, id := range p.StillGranted {
		r.rec.stillGranted(id)
	}
	for _, l := range p.Start {
		r.start(l)
	}
	for _, id := range p.Stuck {
		if run := r.runs[id]; run != nil { // else it returned at this very event
			r.stuck[id] = true
			r.rec.stuck(id, run.Epoch())
		}
	}
	if p.Beat {
		r.loop.Poke()
	}
	r.wakeAt(p.WakeAt)
	r.left = r.left || p.Left
	if s := r.state(); s != r.told {
		r.told = s
		r.rec.state(s, r.tracker.Instance(), errors.Join(r.failure, r.lastErr))
	}
	for _, id := range absent {
		r.applyPlan(now, r.tracker.Returned(now, id, shardset.OutcomeReleased))
	}
	if p.Complete {
		r.rec.finished()
		r.leave()
	}
}

// start launches one shard's processor. Owner: the tasks. Stop: the run's contexts,
// through Revoke and Cancel. Waiter: the owner, which keeps the shard in its report
// until the goroutine comes back here with its outcome.
func (r *run) start(l shardset.Lease) {
	run := r.runner.New(r.base, l, r.tracker.Instance(), r.term)
	r.runs[l.ID] = run
	r.rec.assigned(l)
	r.tasks.launch(func() {
		run.Do(func(o shardset.Outcome) {
			r.do(func() { r.returned(l, o, run.Fatal()) })
		})
	})
}

// returned takes a shard's goroutine back. Owner only.
func (r *run) returned(l shardset.Lease, o shardset.Outcome, fatal error) {
	delete(r.runs, l.ID)
	delete(r.stuck, l.ID)
	delete(r.stalled, l.ID)
	r.rec.returned(l, o)
	now := time.Now()
	r.applyPlan(now, r.tracker.Returned(now, l.ID, o))
	if fatal != nil {
		r.fail(fmt.Errorf("shard %s: %w", l.ID, fatal))
	}
}

// wakeAt sets the one timer. It is not the heartbeat's: a heartbeat in flight must
// never delay the end of the lease.
func (r *run) wakeAt(at time.Time) {
	if at.IsZero() {
		r.timer.Stop()
		return
	}
	r.timer.Reset(time.Until(at))
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
