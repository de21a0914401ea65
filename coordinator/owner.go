package coordinator

import (
	"context"
	"time"
)

// own is the owner's loop. It ends when the member has left: every processor has returned, or
// the drain has ended and the remaining processors ignore their contexts.
func (r *run) own(ctx context.Context) {
	defer close(r.over)
	defer func() { r.final = r.status(StateLeaving) }()
	now := time.Now()
	r.pacer.Answered(now, now) // the first heartbeat leaves at once
	r.apply(now, r.tracker.Tick(now))
	done := ctx.Done()
	for !r.left {
		setTimer(r.beatTimer, r.nextBeat(time.Now()))
		select {
		case job := <-r.calls:
			job()
		case o := <-r.outcomes:
			r.onOutcome(time.Now(), o)
		case <-r.pushes:
			r.pacer.Wake(time.Now())
		case <-r.beatTimer.C:
			r.sendBeat(time.Now())
		case <-r.wakeTimer.C:
			now := time.Now()
			r.apply(now, r.tracker.Tick(now))
		case <-done:
			done = nil
			r.leave()
		}
	}
}

// do makes the owner run a job, and waits for it. It returns false if the owner has ended. Other
// goroutines use the owner's fields only through do.
func (r *run) do(job func()) bool {
	finished := make(chan struct{})
	select {
	case r.calls <- func() { job(); close(finished) }:
		<-finished
		return true
	case <-r.over:
		return false
	}
}

// setTimer makes a timer fire at that time. Zero: never.
func setTimer(t *time.Timer, at time.Time) {
	if at.IsZero() {
		t.Stop()
		return
	}
	t.Reset(time.Until(at))
}
