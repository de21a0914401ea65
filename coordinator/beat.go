package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// errClientEnded ends Run if the group's client has called runtime.Goexit, which ends the
// heartbeat goroutine.
var errClientEnded = errors.New("the group's client ended the heartbeat's goroutine")

// request asks the heartbeat goroutine to call the group service: to send a heartbeat, or to
// create the group after a heartbeat that did not find it.
type request struct {
	beat    shardset.Heartbeat // with create: the heartbeat that did not find the group
	create  bool
	timeout time.Duration
}

// outcome is the result of a request.
type outcome struct {
	request
	answer  shardset.Answer
	ordered bool // whether the group is ordered, according to this answer
	err     error
}

// callService runs on the heartbeat goroutine. It makes the owner's requests, one at a time,
// until ctx ends. A client that blocks delays this goroutine, but not the owner.
func (r *run) callService(ctx context.Context) {
	defer func() {
		if ctx.Err() == nil {
			r.do(func() { r.fail(errClientEnded) })
		}
	}()
	for {
		select {
		case q := <-r.requests:
			r.outcomes <- r.call(ctx, q)
		case <-ctx.Done():
			return
		}
	}
}

func (r *run) call(ctx context.Context, q request) outcome {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	o := outcome{request: q}
	if q.create {
		o.err = r.cfg.Group.(heartbeat.Creator).Create(ctx) // New has checked that the service can
		return o
	}
	o.answer, o.err = r.cfg.Group.Beat(ctx, q.beat)
	if o.err == nil {
		o.ordered = r.cfg.Group.Info().Guarantees.Ordered
	}
	return o
}

// nextBeat returns when to send the next heartbeat, if no event makes it earlier. Zero: never.
// Owner only.
func (r *run) nextBeat(now time.Time) time.Time {
	// A member that lost its lease while it leaves must not join again.
	if r.tracker.NextHeartbeat(now).IsZero() {
		return time.Time{}
	}
	return r.pacer.Next()
}

// sendBeat hands the next heartbeat to the heartbeat goroutine. It never blocks, because one
// request is in flight at a time. Owner only.
func (r *run) sendBeat(now time.Time) {
	r.pacer.Sent()
	r.requests <- request{beat: r.newBeat(now), timeout: r.tryTimeout}
}

func (r *run) newBeat(now time.Time) shardset.Heartbeat {
	r.sentAt = now
	return r.tracker.Beat(now)
}
