package replicated

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// pauses is the schedule after failures of a watch or a step: up to a twentieth of the TTL
// in the Config, which leaves time for many tries in a lease.
func (c *Client) pauses() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(c.cfg.TTL/400),
		backoff.WithMaxInterval(c.cfg.TTL/20),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
}

// followDocument shows the replica each version of the document, until ctx ends.
func (c *Client) followDocument(ctx context.Context) {
	pauses := c.pauses()
	for ctx.Err() == nil {
		c.noteWatch(KindDocument, func(h *watchHealth) { h.begun(time.Now()) })
		err := c.store.Watch(ctx, KindDocument, func(e Event) {
			pauses.Reset()
			switch {
			case e.Key == (Key{}):
				c.noteWatch(KindDocument, (*watchHealth).worked)
			case e.Key == documentKey && e.Value.Data != nil:
				_ = c.adopt(e.Value) // what cannot be read is said by whoever needs it
			}
		})
		if ctx.Err() == nil {
			c.noteWatch(KindDocument, func(h *watchHealth) { h.failed(time.Now(), err) })
		}
		rest(ctx, c.atMost(pauses.NextBackOff()))
	}
}

// atMost cuts a pause down to what suits the group's own TTL, which may be shorter than
// that in the Config.
func (c *Client) atMost(pause time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ttl := c.replica.TTL(); ttl > 0 {
		return min(pause, ttl/20)
	}
	return pause
}

// followRecords shows the replica the records of all members while that is this
// process's part, until ctx ends.
func (c *Client) followRecords(ctx context.Context) {
	pauses := c.pauses()
	for ctx.Err() == nil {
		c.mu.Lock()
		wanted := c.turn.watching
		c.mu.Unlock()
		if !wanted {
			c.noteWatch(KindRecord, (*watchHealth).unneeded)
			select {
			case <-c.scope:
			case <-ctx.Done():
			}
			continue
		}
		c.noteWatch(KindRecord, func(h *watchHealth) { h.begun(time.Now()) })
		err := c.watchRecords(ctx, pauses.Reset)
		if ctx.Err() == nil && err != nil {
			if !errors.Is(err, context.Canceled) { // forget has the records shown anew
				c.noteWatch(KindRecord, func(h *watchHealth) { h.failed(time.Now(), err) })
			}
			rest(ctx, c.atMost(pauses.NextBackOff()))
		}
	}
}

// watchRecords follows the records until the watch breaks, or is wanted no more. It
// waits for what it started.
func (c *Client) watchRecords(ctx context.Context, alive func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	if !c.turn.watching { // it was wanted a moment ago
		c.mu.Unlock()
		return nil
	}
	c.turn.endWatch = cancel
	c.turn.dueAt = time.Time{}
	c.replica.Restart(c.own)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.turn.seeing, c.turn.endWatch = false, nil
		c.replica.Restart(c.own)
	}()
	err := c.store.Watch(ctx, KindRecord, func(e Event) {
		alive()
		c.see(e)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.turn.watching {
		return nil
	}
	return err
}

// see shows the replica one record, or that it has been shown all there were.
func (c *Client) see(e Event) {
	now := time.Now()
	rec := c.decode(e)
	c.mu.Lock()
	if e.Key == (Key{}) {
		c.turn.seeing = true
		c.replica.Shown(now)
		c.turn.pendingAt = time.Time{} // it need not be as patient as who sees nothing
	} else {
		c.observe(now, e, rec)
	}
	c.mu.Unlock()
	if e.Key == (Key{}) {
		c.noteWatch(KindRecord, (*watchHealth).worked)
	}
	c.poke()
}

// decode reads a record, before anybody takes mu: a large or damaged one takes a while. It
// returns nil if there is none, and the zero Record for one that cannot be read.
func (c *Client) decode(e Event) *state.Record {
	if e.Value.Data == nil {
		return nil
	}
	rec, err := state.DecodeRecord(e.Key.Name, e.Value.Data)
	if err != nil {
		c.log.Warn("a record cannot be read", zap.Error(err))
	}
	return &rec
}

// observe shows the replica one record. The caller holds mu.
func (c *Client) observe(now time.Time, e Event, rec *state.Record) {
	c.replica.Observe(now, e.Key.Name, e.Value.Revision, rec)
	// An instance of this process that somebody took for dead is told by its next heartbeat.
	l := c.locals[e.Key.Name]
	if l != nil && !l.over && rec != nil && rec.Standing == state.StandingExpired && rec.Instance == l.instance &&
		e.Value.Revision > l.revision {
		c.wake(l.name)
	}
}

// tell wakes whomever the newest document concerns. The caller holds mu.
func (c *Client) tell(now time.Time) {
	c.changeAt = now
	c.turn.pendingAt = time.Time{} // what is left to do is anybody's turn anew
	close(c.changed)
	c.changed = make(chan struct{})
	for member := range c.wakes {
		l := c.locals[member]
		if l == nil || l.over || c.outdated(l) || !sameAnswer(l.told, c.allowed(l)) {
			c.wake(member)
		}
	}
}

// Watch returns a channel that carries a value whenever the member's answer may have
// changed. It is closed when ctx ends, or the Client. Each call makes a channel of its own.
func (c *Client) Watch(ctx context.Context, member string) (<-chan struct{}, error) {
	_, done, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	done()
	wake := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.wakes[member] == nil {
		c.wakes[member] = map[chan struct{}]struct{}{}
	}
	c.wakes[member][wake] = struct{}{}
	context.AfterFunc(ctx, func() { c.unwatch(member, wake) })
	return wake, nil
}

func (c *Client) unwatch(member string, wake chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.wakes[member][wake]; !ok {
		return // Close has closed it
	}
	delete(c.wakes[member], wake)
	if len(c.wakes[member]) == 0 {
		delete(c.wakes, member)
	}
	close(wake) // under mu, like every send
}

// wake tells the watchers of a member. The caller holds mu; a channel that has a value
// says what there is to say.
func (c *Client) wake(member string) {
	for wake := range c.wakes[member] {
		signal(wake)
	}
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
