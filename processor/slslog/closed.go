package slslog

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// closedShards knows which shards take no more data. A page does not tell: the end of a
// closed shard looks like that of an open one. So a shard has ended when a read finds
// nothing that began after the shard was known to be closed.
type closedShards struct {
	list  func(context.Context) ([]sls.Shard, error)
	every time.Duration

	mu     sync.Mutex // guards the fields below; held for a look
	shards map[int]bool
	next   time.Time // not to be asked before
}

// known reports whether the shard was closed when the list was last read.
func (c *closedShards) known(shard int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shards[shard]
}

// refresh reads the list again if it is old. Of all shards that come here one does it;
// the others go on with what is known. Its failure is no error of a read: the next one
// in turn tries again.
func (c *closedShards) refresh(ctx context.Context, now time.Time) {
	c.mu.Lock()
	due := !now.Before(c.next)
	if due {
		c.next = now.Add(c.every)
	}
	c.mu.Unlock()
	if !due {
		return
	}
	list, err := c.list(ctx)
	if err != nil {
		return
	}
	closed := map[int]bool{}
	for _, s := range list {
		if s.ReadOnly {
			closed[s.Number] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shards = closed
}
