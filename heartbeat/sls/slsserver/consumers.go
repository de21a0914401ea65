package slsserver

import (
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// consumers is one consumer group: the state machine of package group, the checkpoints,
// and what the state machine cannot say itself.
type consumers struct {
	logstore *logstore
	name     string

	mu    sync.Mutex // guards everything below
	group *group.Group
	ttl   time.Duration
	order bool
	// orderedFrom is the first shard whose ancestors count. A group that becomes an
	// ordered one goes on with the shards that it has, and orders those born later.
	orderedFrom int
	shards      []*shard
	checkpoints map[int]checkpoint
	over        map[int]string      // the shards that are consumed, and who held each when that was seen
	known       map[string]struct{} // who may be a member, for the bound on their number
	timer       *time.Timer         // fires at the group's next event; nil: none is due
	timerAt     time.Time
	ended       error // what everybody is told after stop
}

// checkpoint is what is stored for a shard.
type checkpoint struct {
	cursor int64
	at     time.Time
	by     string // the last committer
}

func newConsumers(ls *logstore, name string, ttl time.Duration, order bool) (*consumers, error) {
	c := &consumers{
		logstore: ls, name: name, ttl: ttl, order: order,
		checkpoints: map[int]checkpoint{}, known: map[string]struct{}{},
	}
	g, err := newGroup(ttl, 0)
	c.group = g
	return c, err
}

// newGroup makes the state machine. It always orders: whose parents count is said with
// each shard, because that can change and the state machine's own order cannot.
func newGroup(ttl time.Duration, firstEpoch uint64) (*group.Group, error) {
	return group.New(group.Config{TTL: ttl, Ordered: true, FirstEpoch: firstEpoch})
}

func shardID(n int) shardset.ID { return shardset.ID{Number: n} }

// do runs one event of the group and sets the timer for the next one.
func (c *consumers) do(event func(now time.Time) error) error {
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

// arm sets the timer. An event that moved further away is left to fire early: every
// heartbeat moves one. The caller holds mu.
func (c *consumers) arm(now time.Time) {
	c.group.TakeChanged() // nobody can be told: consumers ask
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

func (c *consumers) expire() {
	c.mu.Lock()
	c.timer = nil
	c.mu.Unlock()
	_ = c.do(func(now time.Time) error { // a group that has ended has nothing to expire
		c.group.Expire(now)
		c.forget()
		return nil
	})
}

// setShards hands the group the logstore's shards. The logstore's lock is held.
func (c *consumers) setShards(now time.Time, shards []*shard) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shards = slices.Clone(shards)
	for id := range c.checkpoints {
		if c.find(id) == nil {
			delete(c.checkpoints, id)
		}
	}
	err := c.share(now)
	c.arm(now)
	return err
}

// consumed says whether a shard has nothing left to read: it is read-only, and its checkpoint is
// its end. Without a checkpoint its beginning counts, so a shard that never had data is consumed; so
// is one whose last data has expired. Consumers do not commit a position twice, so share asks this
// whenever something that it looks at changes: a checkpoint, a split or merge, an expiry.
func (c *consumers) consumed(sh *shard) bool {
	begin, end, readonly := sh.bounds()
	return readonly && max(begin, c.checkpoints[sh.id].cursor) >= end
}

// findOver brings over up to date. The caller holds mu.
func (c *consumers) findOver() {
	over, more := map[int]string{}, false
	for _, sh := range c.shards {
		if c.consumed(sh) {
			holder, known := c.over[sh.id]
			over[sh.id] = holder
			more = more || !known
		}
	}
	if more {
		for _, s := range c.group.Snapshot().Shards {
			if _, ok := over[s.ID.Number]; ok {
				over[s.ID.Number] = s.Owner
			}
		}
	}
	c.over = over
}

func (c *consumers) isOver(shard int) bool {
	_, over := c.over[shard]
	return over
}

// share tells the state machine what there is to share out: the shards that are not
// over, and those that have to be over before each. The caller holds mu.
//
// The state machine takes the end of a shard from its holder's heartbeat only, which
// would renew a lease that a commit must not renew. So a shard that is over is taken out of
// its list, and put back when a forced checkpoint opens it again.
func (c *consumers) share(now time.Time) error {
	c.findOver()
	list := make([]shardset.Shard, 0, len(c.shards))
	waits := c.unfinished()
	for _, sh := range c.shards {
		if c.isOver(sh.id) {
			continue
		}
		s := shardset.Shard{ID: shardID(sh.id)}
		if ancestor, ok := waits[sh.id]; ok && c.order && sh.id >= c.orderedFrom {
			s.Parents = []shardset.ID{shardID(ancestor)}
		}
		list = append(list, s)
	}
	return c.group.SetShards(now, list)
}

// unfinished finds for each shard an ancestor that is not over, if there is one. One is
// enough: when it is over, the shards are shared out anew. Parents come before their
// children in the list, so each shard is looked at once, however many ways lead to it.
func (c *consumers) unfinished() map[int]int {
	found := make(map[int]int)
	for _, sh := range c.shards {
		for _, p := range sh.parents {
			if c.find(p) == nil {
				continue // it has expired
			}
			ancestor, ok := p, true
			if c.isOver(p) {
				ancestor, ok = found[p]
			}
			if ok {
				found[sh.id] = ancestor
				break
			}
		}
	}
	return found
}

func (c *consumers) find(id int) *shard {
	i, ok := slices.BinarySearchFunc(c.shards, id, func(sh *shard, id int) int { return sh.id - id })
	if !ok {
		return nil
	}
	return c.shards[i]
}

// stop ends the group and its timer. Whoever still comes is told why.
func (c *consumers) stop(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(why)
}

// end is stop for who holds mu.
func (c *consumers) end(why error) {
	c.ended = why
	if c.timer != nil {
		c.timer.Stop()
	}
}
