package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// leave begins the end: drain everything, take nothing new.
func (r *run) leave() {
	if !r.stopBy.IsZero() {
		return
	}
	now := time.Now()
	r.apply(now, r.beginLeave(now))
}

// beginLeave returns the plan that drains everything.
func (r *run) beginLeave(now time.Time) shardset.Plan {
	if r.stopBy.IsZero() {
		r.stopBy = now.Add(r.cfg.DrainTimeout + drainBound)
		r.rec.leaving(r.joined, r.failure, len(r.runs))
	}
	return r.tracker.Leave(now)
}

// fail makes Run end with err. The first reason stays.
func (r *run) fail(err error) {
	if r.failure == nil && r.stopBy.IsZero() {
		r.failure = err
	}
	r.leave()
}

// leaveGroup makes the leave call, where there is one to make and anybody to hear
// it, and reports whether it came back in time. The owner has ended, so the Tracker
// is the caller's.
func (r *run) leaveGroup() bool {
	leaver, ok := r.cfg.Group.(heartbeat.Leaver)
	if !ok || errors.Is(r.failure, heartbeat.ErrReplaced) || errors.Is(r.failure, heartbeat.ErrGroupNotFound) {
		return true
	}
	request := r.newBeat(time.Now())
	end := time.Now().Add(r.cfg.TryTimeout)
	if share := r.share(3); share.Before(end) {
		end = share
	}
	ctx, cancel := context.WithDeadline(r.base, end)
	defer cancel()
	var err error
	called := r.tasks.watch(func() { err = r.sayLeave(ctx, leaver, request) })
	if !closed(called, r.share(2)) {
		return false
	}
	if err != nil {
		r.rec.leaveFailed(err)
	}
	return true
}

// sayLeave calls Leave until it works, as long as one heartbeat may take: a service that
// fails at once, because it is electing somebody for instance, may be back in a moment,
// and otherwise the others wait for the lease. Each try is a word of its own to the
// service, which may have heard the one before. A service that wants to be left alone for
// longer than that is.
func (r *run) sayLeave(ctx context.Context, leaver heartbeat.Leaver, request shardset.Heartbeat) error {
	pauses := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(max(r.cfg.Interval/100, time.Millisecond)),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
	for {
		err := leaver.Leave(ctx, request)
		if err == nil || errors.Is(err, heartbeat.ErrEvicted) || !heartbeat.Retryable(err) {
			return err
		}
		request.Seq++
		pause := max(pauses.NextBackOff(), heartbeat.RetryAfter(err))
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= pause {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// share returns the end of one nth of the time until Run has to return.
func (r *run) share(n int) time.Time {
	return time.Now().Add(time.Until(r.stopBy) / time.Duration(n))
}
