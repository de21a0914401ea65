package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

var (
	errWatchBroke = errors.New("the group's client closed the watch")
	errWatchEnded = errors.New("the group's client ended the watch's goroutine")
)

// watch turns the service's pushes into heartbeats until ctx ends. It makes a new watch
// when one breaks.
func (r *run) watch(ctx context.Context) {
	n, ok := r.cfg.Group.(heartbeat.Notifier)
	if !ok {
		return
	}
	defer func() {
		if ctx.Err() == nil {
			r.do(func() { r.watchFailed(errWatchEnded) })
		}
	}()
	pauses := processor.Backoff{Min: max(r.cfg.Interval/10, time.Millisecond), Max: r.cfg.Interval}
	next := pauses.Schedule()
	for ctx.Err() == nil {
		worked, err := r.watchOnce(ctx, n)
		if ctx.Err() != nil {
			return
		}
		r.do(func() { r.watchFailed(err) })
		if worked {
			next = pauses.Schedule()
		}
		t := time.NewTimer(next())
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// watchOnce receives the pushes of one watch until it breaks. A watch has worked if it carried a
// push or lasted for one interval. A watch that breaks sooner does not end the outage.
func (r *run) watchOnce(ctx context.Context, n heartbeat.Notifier) (worked bool, err error) {
	wake, err := n.Watch(ctx, r.cfg.Member)
	if err != nil {
		return false, err
	}
	r.push() // the service did not push changes before the watch
	stands := time.NewTimer(r.cfg.Interval)
	defer stands.Stop()
	for {
		select {
		case _, ok := <-wake:
			if !ok {
				return worked, errWatchBroke
			}
			r.push()
		case <-stands.C:
		}
		if !worked {
			worked = true
			r.do(r.watchWorks)
		}
	}
}

// push wakes the owner. It merges pushes that the owner has not received yet.
func (r *run) push() {
	select {
	case r.pushes <- struct{}{}:
	default:
	}
}

// watchFailed notes a watch that broke or could not be made. Owner only.
func (r *run) watchFailed(err error) {
	first := r.watchErr == nil
	if first {
		r.watchDownAt = time.Now()
	}
	r.watchErr = err
	r.rec.watchFailed(err, first)
}

// watchWorks notes a watch that works. Owner only.
func (r *run) watchWorks() {
	if r.watchErr == nil {
		return
	}
	r.watchErr = nil
	r.rec.watchWorks(time.Since(r.watchDownAt))
}
