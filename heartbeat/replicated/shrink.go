package replicated

import "time"

// keptTTLs is how many TTLs this process remembers a member that says nothing through it
// any more. Its last requests have ended by then, and others have found it expired.
const keptTTLs = 3

// shrink forgets, once in a TTL, the members that have spoken through this process and do
// so no more, and the checkpoints of shards that are not theirs any more: names change
// with every start of a worker, and a process may serve many. It returns when to do so
// again.
func (c *Client) shrink(now time.Time, ttl time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.turn
	if now.Before(t.shrinkAt) {
		return t.shrinkAt
	}
	t.shrinkAt = now.Add(ttl)
	for name, l := range c.locals {
		if len(l.busy) == 0 && now.Sub(l.spokeAt) > keptTTLs*ttl {
			delete(c.locals, name)
			t.stale = true
		}
	}
	for id, cl := range c.claims {
		if owner, ok := c.replica.Owner(id); !ok || owner != cl.token {
			delete(c.claims, id) // if it is needed after all, it is read again
		}
	}
	if !t.seeing { // else the store says which records are there
		c.replica.ForgetOrphanedRecords(now)
	}
	return t.shrinkAt
}
