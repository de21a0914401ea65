package slsserver

import (
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// consumerGroup is one consumer group: the state machine of package group, the checkpoints,
// and which shards are complete.
type consumerGroup struct {
	logstore *logstore
	name     string

	mu    sync.Mutex // guards everything below
	group *group.Group
	order bool
	// orderedFrom is the ID of the first shard that waits for its ancestors. If a group becomes
	// ordered later, only the shards created after the change wait.
	orderedFrom int
	shards      []*shard
	checkpoints map[int]checkpoint
	complete    map[int]string      // the complete shards, with the holder of each when it became complete
	known       map[string]struct{} // members, and former ones until forgetExpired; bounds their number
	timer       *time.Timer         // fires at timerAt, at the latest at the next event; nil: not set
	timerAt     time.Time
	ended       error // the answer to all requests after stop
}

// checkpoint is the stored position of a shard.
type checkpoint struct {
	cursor int64
	at     time.Time
	by     string // the last committer
}

func newConsumerGroup(ls *logstore, name string, ttl time.Duration, order bool) (*consumerGroup, error) {
	c := &consumerGroup{
		logstore: ls, name: name, order: order,
		checkpoints: map[int]checkpoint{}, known: map[string]struct{}{},
	}
	g, err := group.New(group.Config{TTL: ttl, Ordered: order})
	c.group = g
	return c, err
}

func shardID(n int) shardset.ID { return shardset.ID{Number: n} }

// do runs one event of the group and sets the timer for the next one.
func (c *consumerGroup) do(event func(now time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return c.ended
	}
	now := c.logstore.server.cfg.Clock()
	err := event(now)
	c.arm(now)
	return err
}

// arm sets the timer to the group's next event. A heartbeat makes the next event later. Then arm
// leaves the timer, which fires too early and does no harm. The caller holds mu.
func (c *consumerGroup) arm(now time.Time) {
	c.group.TakeChanged() // clear the list, because the protocol cannot push changes
	at := c.group.NextEvent()
	if at.IsZero() || c.ended != nil || c.timer != nil && !at.Before(c.timerAt) {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timerAt = at
	c.timer = time.AfterFunc(at.Sub(now), c.expire)
}

func (c *consumerGroup) expire() {
	c.mu.Lock()
	c.timer = nil
	c.mu.Unlock()
	_ = c.do(func(now time.Time) error { // a group that has ended has nothing to expire
		c.group.Expire(now)
		c.forgetExpired()
		return nil
	})
}

// update changes the timeout if it is not zero, and the order if it is not nil.
func (c *consumerGroup) update(ttl time.Duration, order *bool) error {
	return c.do(func(now time.Time) error {
		if order != nil {
			if *order && !c.order {
				c.orderedFrom = nextShard(c.shards)
			}
			c.order = *order
		}
		if ttl != 0 {
			if err := c.group.SetTTL(now, ttl); err != nil {
				return err
			}
		}
		return c.updateShards(now)
	})
}

// nextShard returns the ID after the last of the shards.
func nextShard(shards []*shard) int {
	if len(shards) == 0 {
		return 0
	}
	return shards[len(shards)-1].id + 1
}

// setShards replaces the group's shards with the logstore's, and deletes the checkpoints of removed
// shards. The caller holds the logstore's lock.
func (c *consumerGroup) setShards(now time.Time, shards []*shard) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shards = slices.Clone(shards)
	for id := range c.checkpoints {
		if c.find(id) == nil {
			delete(c.checkpoints, id)
		}
	}
	err := c.updateShards(now)
	c.arm(now)
	return err
}

// nothingLeft reports whether a shard is complete: it is read-only, and its checkpoint is its end.
// If its oldest position is later than the checkpoint, or there is no checkpoint, the oldest
// position counts. So a shard that never had data is complete, and so is one whose last data has
// expired. Consumers do not commit a position twice, so the group must check again after each
// checkpoint, split, merge and expiry.
func (c *consumerGroup) nothingLeft(sh *shard) bool {
	begin, end, readonly := sh.bounds()
	return readonly && max(begin, c.checkpoints[sh.id].cursor) >= end
}

// updateComplete computes the complete shards again, and records the holder of each new one. The
// caller holds mu.
func (c *consumerGroup) updateComplete() {
	complete, more := map[int]string{}, false
	for _, sh := range c.shards {
		if c.nothingLeft(sh) {
			holder, known := c.complete[sh.id]
			complete[sh.id] = holder
			more = more || !known
		}
	}
	if more {
		for _, s := range c.group.Snapshot().Shards {
			if _, ok := complete[s.ID.Number]; ok {
				complete[s.ID.Number] = s.Owner
			}
		}
	}
	c.complete = complete
}

func (c *consumerGroup) isComplete(shard int) bool {
	_, complete := c.complete[shard]
	return complete
}

// updateShards passes the shards, their parents and the order to the state machine. It closes the
// shards that are complete. It reopens a shard that a forced checkpoint has made incomplete. The
// caller holds mu.
func (c *consumerGroup) updateShards(now time.Time) (err error) {
	c.updateComplete()
	list := make([]shardset.Shard, len(c.shards))
	for i, sh := range c.shards {
		list[i].ID = shardID(sh.id)
		if sh.id < c.orderedFrom {
			continue
		}
		for _, p := range sh.parents {
			list[i].Parents = append(list[i].Parents, shardID(p))
		}
	}
	c.group.Batch(now, func() {
		c.group.SetOrdered(now, c.order)
		if err = c.group.SetShards(now, list); err != nil {
			return
		}
		for _, sh := range c.shards {
			if c.isComplete(sh.id) {
				c.group.Close(now, shardID(sh.id))
			} else {
				c.group.Reopen(now, shardID(sh.id))
			}
		}
	})
	return err
}

func (c *consumerGroup) find(id int) *shard {
	i, ok := slices.BinarySearchFunc(c.shards, id, func(sh *shard, id int) int { return sh.id - id })
	if !ok {
		return nil
	}
	return c.shards[i]
}

// stop ends the group. All later requests get the error why.
func (c *consumerGroup) stop(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = why
	if c.timer != nil {
		c.timer.Stop()
	}
}
