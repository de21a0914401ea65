package slsserver

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// update changes the timeout if it is not zero, and the order if it is not nil.
func (c *consumerGroup) update(ttl time.Duration, order *bool) error {
	return c.do(func(now time.Time) error {
		if order != nil {
			if *order && !c.order {
				c.orderedFrom = nextShard(c.shards)
			}
			c.order = *order
		}
		if ttl != 0 && ttl != c.ttl {
			if err := c.setTTL(now, ttl); err != nil {
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

// setTTL changes the timeout as the service does: the new one counts from each member's last
// heartbeat. group.SetTTL would wait until every member has seen the change, which SLS heartbeats
// do not tell. So setTTL makes a new state machine and repeats the last heartbeat of each member.
// The caller calls updateShards then.
func (c *consumerGroup) setTTL(now time.Time, ttl time.Duration) error {
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
	if err := c.updateShards(now); err != nil {
		c.group = old
		return err
	}
	g.Recover(now.Add(c.ttl)) // it accepts what members list as held
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
