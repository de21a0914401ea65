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
// if the call did not return in time. It runs after the owner, so it may use the Tracker.
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

// callLeave calls Leave until it succeeds or ctx ends. It tries again because some failures last
// only for a moment, for example while the service elects a leader. If Leave never succeeds, the
// other members must wait until the lease expires. Each try has a new number, because the service
// may have received the previous one. If the service asks for a pause that is longer than the
// remaining time, callLeave does not try again.
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

// share divides the time until Run has to return by n, and returns when the first part ends.
func (r *run) share(n int) time.Time {
	return time.Now().Add(time.Until(r.stopBy) / time.Duration(n))
}
