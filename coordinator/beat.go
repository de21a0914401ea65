package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// errClientEnded is why Run ends if the group's client ended the goroutine that calls it,
// with runtime.Goexit.
var errClientEnded = errors.New("the group's client ended the heartbeat's goroutine")

// request is what the owner wants from the group service: a heartbeat, or, after one that
// found no group, the group made.
type request struct {
	beat    shardset.Heartbeat
	create  bool
	timeout time.Duration
}

// outcome is how a request went. It comes back to the owner.
type outcome struct {
	request
	answer  shardset.Answer
	ordered bool // the group, as of this answer
	err     error
}

// callService makes the owner's requests, one at a time, until ctx ends. Nothing that the
// client does holds up the owner.
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

// nextBeat returns when the next heartbeat leaves; zero means not before something happens.
// Owner only.
func (r *run) nextBeat(now time.Time) time.Time {
	// A member that lost its lease while it leaves must not join again.
	if r.silent || r.tracker.NextHeartbeat(now).IsZero() {
		return time.Time{}
	}
	return r.pacer.Next()
}

// sendBeat has a heartbeat sent that says how things are now. Owner only.
func (r *run) sendBeat(now time.Time) {
	r.pacer.Sent()
	r.requests <- request{beat: r.newBeat(now), timeout: r.tryTimeout} // never blocks: one is in flight
}

func (r *run) newBeat(now time.Time) shardset.Heartbeat {
	r.sentAt = now
	return r.tracker.Beat(now)
}
