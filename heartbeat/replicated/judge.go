package replicated

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// maxVerdicts is how many records one process writes at a time.
const maxVerdicts = 16

// judge gives the verdict on members that have been silent for a TTL, if it is this
// process's turn, and returns when the next one is due.
func (c *Client) judge(ctx context.Context, ttl time.Duration) time.Time {
	if clock, ok := c.store.(RecordClock); ok {
		return c.judgeByClock(ctx, ttl, clock)
	}
	now := time.Now()
	c.mu.Lock()
	if !c.turn.seeing {
		c.mu.Unlock()
		return time.Time{}
	}
	if now.Before(c.turn.judgeAt) {
		defer c.mu.Unlock()
		return c.turn.judgeAt
	}
	// Records and members only ever get younger, so nothing is due before that.
	if at := c.turn.dueAt; now.Before(at) {
		defer c.mu.Unlock()
		return at
	}
	wait := c.rankDelay()
	due, next := c.replica.ExpiredMembers(now.Add(-wait))
	if next.IsZero() {
		next = now.Add(ttl / 2)
	}
	at := next.Add(wait + time.Millisecond)
	if len(due) > 0 {
		at = now.Add(rankStep) // in case it cannot be written
	}
	c.turn.dueAt = at
	c.mu.Unlock()
	c.pass(ctx, due)
	return at
}

// noteQuiet tells the replica, before a step, which members it has not heard for half a TTL.
// Where the store has a clock, judgeByClock has asked that. The caller holds mu.
func (c *Client) noteQuiet(now time.Time) {
	if _, ok := c.store.(RecordClock); ok || !c.turn.seeing {
		return
	}
	quiet, _ := c.replica.ExpiredMembers(now.Add(c.replica.Expiry() / 2))
	names := make([]string, len(quiet))
	for i, v := range quiet {
		names[i] = v.Member
	}
	c.replica.Quiet(names)
}

// askQuiet asks a store's clock which members it has not heard for half a TTL.
func (c *Client) askQuiet(ctx context.Context, clock RecordClock, silence time.Duration) {
	quiet, _, err := clock.OlderRecords(ctx, silence/2)
	if err != nil {
		return // then they get what they would have got
	}
	names := make([]string, len(quiet))
	for i, e := range quiet {
		names[i] = e.Key.Name
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replica.Quiet(names)
}

// rankDelay is how much later than the first this process judges. The caller holds mu.
func (c *Client) rankDelay() time.Duration {
	return time.Duration(min(c.turn.rank, maxWatchers)) * rankStep
}

// judgeByClock is judge for a store with a clock of its own, which says which records are
// old. Only those ask that are to be shown all records: the store has to look at every
// record for that, and with all processes the cost would rise with the square of the group.
func (c *Client) judgeByClock(ctx context.Context, ttl time.Duration, clock RecordClock) time.Time {
	now := time.Now()
	c.mu.Lock()
	wait, silence, watching, at := c.rankDelay(), c.replica.Expiry(), c.turn.watching, c.turn.judgeAt
	c.mu.Unlock()
	if !watching {
		return time.Time{}
	}
	if now.Before(at) {
		return at
	}
	silent, next, err := clock.OlderRecords(ctx, silence+wait)
	if err != nil {
		if ctx.Err() == nil {
			c.log.Debug("the store could not be asked who is silent", zap.Error(err))
		}
		next = ttl / 20
	}
	if next < 0 || next > ttl/2 {
		next = ttl / 2 // records are not the only thing that can be missing
	}
	records := make([]state.Record, len(silent))
	for i, e := range silent {
		records[i], _ = state.DecodeRecord(e.Key.Name, e.Value.Data) // what cannot be read is old, too
	}
	c.mu.Lock()
	var due []state.Tombstone
	if c.turn.seeing {
		due = c.replica.MissingRecords(now)
	}
	for i, e := range silent {
		if v, ok := c.replica.Expire(e.Key.Name, e.Value.Revision, &records[i]); ok {
			due = append(due, v)
		}
	}
	if len(due) > 0 {
		next = min(next, rankStep) // in case it cannot be written
	} else if err == nil {
		c.replica.Quiet(nil)
	}
	at = now.Add(next + time.Millisecond)
	c.turn.judgeAt = at
	c.mu.Unlock()
	if len(due) > 0 {
		c.askQuiet(ctx, clock, silence)
	}
	c.pass(ctx, due)
	return at
}

// pass writes verdicts, each over the member's last word. Who has spoken meanwhile is
// alive, and heard by those who are shown the records.
func (c *Client) pass(ctx context.Context, due []state.Tombstone) {
	var g errgroup.Group
	g.SetLimit(maxVerdicts)
	for _, v := range due {
		g.Go(func() error {
			k, data := Key{Kind: KindRecord, Name: v.Member}, v.Encode()
			revision, err := c.store.Swap(ctx, k, v.Revision, data)
			switch {
			case err == nil:
				c.log.Info("a member was silent for its whole lease", zap.String("member", v.Member), zap.Uint64("instance", v.Instance))
				c.learn(k, Value{Data: data, Revision: revision})
			case isConflict(err):
				if now, err := c.store.Get(ctx, k); err == nil {
					c.correct(Event{Key: k, Value: now})
				}
			case ctx.Err() == nil:
				c.log.Debug("a verdict could not be written", zap.String("member", v.Member), zap.Error(err))
			}
			return nil
		})
	}
	_ = g.Wait() // none fails
}

// learn shows the replica a record that says that its instance is over, which asks for a
// step of the document if nobody else makes it.
func (c *Client) learn(k Key, v Value) {
	c.see(Event{Key: k, Value: v})
	c.mu.Lock()
	c.turn.asked(time.Now())
	c.mu.Unlock()
	c.poke()
}

// correct shows the replica a record that was not what it believed, if it is to know them
// all.
func (c *Client) correct(e Event) {
	rec := c.decode(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn.seeing {
		c.observe(time.Now(), e, rec)
	}
}

// tidy removes what is left of members that are gone, once in a TTL.
func (c *Client) tidy(ctx context.Context, ttl time.Duration) time.Time {
	now := time.Now()
	c.mu.Lock()
	t := &c.turn
	if !t.seeing || t.rank != 0 {
		c.mu.Unlock()
		return time.Time{}
	}
	if now.Before(t.tidyAt) {
		defer c.mu.Unlock()
		return t.tidyAt
	}
	t.tidyAt = now.Add(ttl)
	at, waste := t.tidyAt, c.replica.OrphanedRecords(now)
	c.mu.Unlock()
	for _, v := range waste {
		k := Key{Kind: KindRecord, Name: v.Member}
		if err := c.store.Delete(ctx, k, v.Revision); err == nil {
			c.mu.Lock()
			c.replica.ForgetRecord(v)
			c.mu.Unlock()
		}
	}
	return at
}
