package slsserver

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// update changes the timeout, unless it is zero, and the order, unless it is nil.
func (c *consumers) update(ttl time.Duration, order *bool) error {
	return c.do(func(now time.Time) error {
		if order != nil {
			if *order && !c.order {
				c.orderedFrom = nextShard(c.shards)
			}
			c.order = *order
		}
		if ttl != 0 && ttl != c.ttl {
			if err := c.retime(now, ttl); err != nil {
				return err
			}
		}
		return c.share(now)
	})
}

// nextShard is the first ID that none of the shards has.
func nextShard(shards []*shard) int {
	if len(shards) == 0 {
		return 0
	}
	return shards[len(shards)-1].id + 1
}

// retime changes the timeout. The state machine's own is fixed, so its members are told
// anew to another one, each at the time of its last heartbeat: as if the timeout had
// been the new one when they sent it. Sharing out the shards again is left to the caller.
func (c *consumers) retime(now time.Time, ttl time.Duration) error {
	c.group.Expire(now)
	snap := c.group.Snapshot()
	firstEpoch := uint64(0)
	held := map[string][]shardset.Grant{}
	for _, s := range snap.Shards {
		firstEpoch = max(firstEpoch, s.Epoch)
		if s.Owner != "" {
			held[s.Owner] = append(held[s.Owner], shardset.Grant{ID: s.ID, Epoch: s.Epoch})
		}
	}
	g, err := newGroup(ttl, firstEpoch)
	if err != nil {
		return err
	}
	old := c.group
	c.group = g
	if err := c.share(now); err != nil {
		c.group = old
		return err
	}
	g.Recover(now.Add(c.ttl)) // it believes what members say they hold
	members := snap.Members
	slices.SortStableFunc(members, func(a, b group.MemberInfo) int { return a.Expires.Compare(b.Expires) })
	for _, m := range members {
		b := shardset.Heartbeat{Member: m.Name}
		b.Held = held[m.Name]
		if _, err := g.Beat(m.Expires.Add(-c.ttl), b); err != nil {
			c.group = old
			return err
		}
	}
	g.Recover(now.Add(-ttl)) // and no longer
	c.ttl = ttl
	return nil
}
