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
	// orderedFrom is the first shard that waits for its ancestors. A group that becomes
	// ordered keeps the shards that it has and orders those created later.
	orderedFrom int
	shards      []*shard
	checkpoints map[int]checkpoint
	complete    map[int]string      // the complete shards, with the holder of each when it became complete
	known       map[string]struct{} // a superset of the members, to bound their number
	timer       *time.Timer         // fires at the group's next event; nil: none is due
	timerAt     time.Time
	ended       error // the answer to all requests after stop
}

// checkpoint is what is stored for a shard.
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

// arm sets the timer to the group's next event. Every heartbeat moves an event further away;
// then the timer stays and fires too early. The caller holds mu.
func (c *consumerGroup) arm(now time.Time) {
	c.group.TakeChanged() // the protocol cannot push
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

// nextShard is the first ID that none of the shards has.
func nextShard(shards []*shard) int {
	if len(shards) == 0 {
		return 0
	}
	return shards[len(shards)-1].id + 1
}

// setShards takes the logstore's shards. The caller holds the logstore's lock.
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

// nothingLeft reports whether a shard is complete: it is read-only, and its checkpoint is its
// end. Without a checkpoint its beginning counts, so a shard that never had data is complete, and
// so is one whose last data has expired. Consumers do not commit a position twice, so updateShards
// asks anew after each checkpoint, split, merge and expiry.
func (c *consumerGroup) nothingLeft(sh *shard) bool {
	begin, end, readonly := sh.bounds()
	return readonly && max(begin, c.checkpoints[sh.id].cursor) >= end
}

// updateComplete finds the complete shards anew. The caller holds mu.
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

// updateShards gives the state machine the shards, in which order they are consumed, and which
// ones are complete: those are closed, and open again after a forced checkpoint. The caller
// holds mu.
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
