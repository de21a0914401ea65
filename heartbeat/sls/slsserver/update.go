package slsserver

import "time"

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
