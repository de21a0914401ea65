package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// leave begins to leave the group: it drains every shard and takes no more.
func (r *run) leave() {
	if !r.stopBy.IsZero() {
		return
	}
	now := time.Now()
	r.apply(now, r.beginLeave(now))
}

// beginLeave returns the plan that drains every shard.
func (r *run) beginLeave(now time.Time) shardset.Plan {
	if r.stopBy.IsZero() {
		r.stopBy = now.Add(r.cfg.DrainTimeout + drainBound)
		r.rec.leaving(r.joined, r.failure, len(r.runs))
	}
	return r.tracker.Leave(now)
}

// fail makes Run end with err, unless it already ends for another reason.
func (r *run) fail(err error) {
	if r.failure == nil && r.stopBy.IsZero() {
		r.failure = err
	}
	r.leave()
}

// leaveGroup calls Leave, if the client has it and the membership still exists. It returns false
// if the call did not return in time. The owner has ended, so the caller may use the Tracker.
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
	called := r.tasks.watch(func() { err = r.callLeave(ctx, leaver, request) })
	if !closed(called, r.share(2)) {
		return false
	}
	if err != nil {
		r.rec.leaveFailed(err)
	}
	return true
}

// callLeave calls Leave until it succeeds, at most as long as one heartbeat may take. A service
// that fails at once, because it elects a leader for example, may recover in a moment; without
// the call, the other members wait for the lease to expire. Each try has a number of its own,
// because the service may have received the one before. If the service asks for a longer pause
// than the time that is left, there is no further try.
func (r *run) callLeave(ctx context.Context, leaver heartbeat.Leaver, request shardset.Heartbeat) error {
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

// share returns the end of 1/n of the time until Run has to return.
func (r *run) share(n int) time.Time {
	return time.Now().Add(time.Until(r.stopBy) / time.Duration(n))
}
