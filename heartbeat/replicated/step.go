package replicated

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// work does this process's part in changing the group, until ctx ends.
func (c *Client) work(ctx context.Context) {
	pauses := c.pauses()
	for ctx.Err() == nil {
		next := soonest(c.round(ctx, pauses.NextBackOff, pauses.Reset), c.sayWatches())
		var due <-chan time.Time
		var t *time.Timer
		if !next.IsZero() {
			t = time.NewTimer(time.Until(next))
			due = t.C
		}
		select {
		case <-due:
			c.late(next)
		case <-c.kick:
		case <-ctx.Done():
		}
		if t != nil {
			t.Stop()
		}
	}
}

// round does what is due, and returns when to look again; zero: when something happens.
func (c *Client) round(ctx context.Context, pause func() time.Duration, recovered func()) time.Time {
	ttl := c.takeRole(time.Now())
	if ttl == 0 {
		return time.Time{}
	}
	io, cancel := context.WithTimeout(ctx, ttl/4)
	defer cancel()
	next := c.keepUp(io, ttl)
	current := c.current(time.Now())
	if current {
		next = soonest(next, c.judge(io, ttl))
	}
	made, at, err := c.step(io)
	switch {
	case err != nil:
		at = c.again(io, err, pause)
	case made:
		recovered()
	}
	next = soonest(next, at)
	if current {
		next = soonest(next, c.look(io, ttl))
	}
	next = soonest(next, c.tidy(io, ttl))
	return soonest(next, c.shrink(time.Now(), ttl))
}

// current reports whether this process may judge. It has to have read the document within
// the time for which it waits for the silent: then a TTL that it does not know of came later
// than any record on which it gives a verdict. A group of a newer version is not its own to
// keep.
func (c *Client) current(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Sub(c.turn.currentAt) <= c.replica.Expiry() && !c.tooOld()
}

// again reads the document after a step that failed, and returns when to try the next one:
// at once if another process was faster, later if the store or the document is in no
// state for it.
func (c *Client) again(ctx context.Context, err error, pause func() time.Duration) time.Time {
	unreadable := c.refresh(ctx)
	if isConflict(err) && unreadable == nil {
		return time.Now().Add(pace)
	}
	if !isConflict(err) && !errors.Is(err, context.Canceled) {
		c.log.Warn("the group's document could not be changed", zap.Error(err))
	}
	at := time.Now().Add(c.atMost(pause()))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn.restAt = at // whatever happens meanwhile
	return at
}

// late notes that this process woke up long after it wanted to: what it has not seen
// meanwhile may be on its way still, so it judges nobody for a while.
func (c *Client) late(planned time.Time) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if slack := c.replica.TTL() / 10; slack > 0 && now.Sub(planned) > slack {
		c.turn.judgeAt = now.Add(slack)
	}
}

// takeRole decides whether this process is to be shown the records of all members, and
// returns the group's TTL, zero if there is no group.
func (c *Client) takeRole(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	ttl := c.replica.TTL()
	if r := c.replica.Revision(); r != c.turn.rankOf || c.turn.stale {
		c.turn.rank, c.turn.rankOf, c.turn.stale = c.replica.Rank(c.mine), r, false
	}
	watching := ttl > 0 && (c.turn.rank < watchers(c.replica.Members()) || now.Before(c.turn.until))
	if watching == c.turn.watching {
		return ttl
	}
	c.turn.watching = watching
	if !watching && c.turn.endWatch != nil {
		c.turn.endWatch()
	}
	signal(c.scope)
	return ttl
}

// keepUp reads the document every half TTL, whatever the watch says: a watch that broke
// in silence costs no more than that.
func (c *Client) keepUp(ctx context.Context, ttl time.Duration) time.Time {
	now := time.Now()
	c.mu.Lock()
	at := c.turn.readAt
	due := !now.Before(at)
	if due {
		c.turn.readAt = now.Add(jitter(ttl / 2))
		at = c.turn.readAt
	}
	c.mu.Unlock()
	if due {
		if err := c.refresh(ctx); err != nil && ctx.Err() == nil {
			c.log.Debug("the group's document could not be read", zap.Error(err))
			at = now.Add(ttl / 10)
			c.mu.Lock()
			c.turn.readAt = at
			c.mu.Unlock()
		}
	}
	return at
}

// step writes the document as it should be, if it is this process's turn, and returns when
// to ask again.
func (c *Client) step(ctx context.Context) (made bool, again time.Time, err error) {
	start := time.Now()
	data, revision, at, err := c.prepareStep(start)
	if err != nil || data == nil {
		return false, at, err
	}
	version, err := state.ReadVersion(data)
	if err != nil { // it was never read by anybody, and must not be
		return false, time.Time{}, fmt.Errorf("the group has grown too large: %w", err)
	}
	newer, err := c.store.Swap(ctx, documentKey, revision, data)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn.steppedAt, c.turn.stepTook = now, min(now.Sub(start), rankStep)
	if err != nil {
		// It may have been written all the same; then the next try conflicts, and the
		// document that is read tells.
		c.turn.pendingAt = time.Time{}
		return false, time.Time{}, err
	}
	if err := c.replica.Stepped(now, newer, version); err != nil {
		return false, time.Time{}, err
	}
	c.fault = nil
	if !c.turn.askedAt.After(start) {
		c.turn.askedAt = time.Time{} // what was asked for since is not in it
	}
	c.tell(now)
	return true, now, nil
}

// prepareStep returns the document to write, over which revision; or when to ask again.
func (c *Client) prepareStep(now time.Time) (data []byte, revision uint64, at time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.turn
	if now.Before(t.restAt) {
		return nil, 0, t.restAt, nil
	}
	if c.tooOld() {
		return nil, 0, time.Time{}, nil
	}
	members := c.replica.Members()
	if !t.seeing {
		// Only what its own members say is known here for sure. To look costs more than
		// it is worth before others have had the time to do it.
		if t.askedAt.IsZero() {
			return nil, 0, time.Time{}, nil
		}
		if t.pendingAt.IsZero() {
			t.pendingAt = t.askedAt
			t.stepAt = t.due(members, c.changeAt, patience(c.replica.TTL()))
		}
		if now.Before(t.stepAt) {
			return nil, 0, t.stepAt, nil
		}
	}
	pending, err := c.replica.Pending()
	if err != nil {
		c.unreadable(c.replica.Revision(), err)
	}
	if err != nil || !pending {
		t.pendingAt, t.askedAt = time.Time{}, time.Time{}
		return nil, 0, time.Time{}, err
	}
	if t.pendingAt.IsZero() {
		t.pendingAt = now
		t.stepAt = t.due(members, c.changeAt, patience(c.replica.TTL()))
	}
	if now.Before(t.stepAt) {
		return nil, 0, t.stepAt, nil
	}
	c.noteQuiet(now)
	data, err = c.replica.Step()
	return data, c.replica.Revision(), time.Time{}, err
}
