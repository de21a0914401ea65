package slslog

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// listTimeout bounds one request for the list of shards. The client's own bound is for
// pages; a list that takes longer than this is not worth waiting for.
const listTimeout = 10 * time.Second

// closedShards knows which shards take no more data. A page does not tell: the end of a
// closed shard looks like that of an open one. So a shard has ended when a read finds
// nothing that began after the shard was known to be closed.
//
// Of all shards that come here one asks for the list, beside its reads, and the others go
// on with what is known. Its failure is no error of a read.
type closedShards struct {
	list func(context.Context) ([]sls.Shard, error)

	mu     sync.Mutex // guards shards; held for a look
	shards shardList
}

// isClosed reports whether the shard was closed, by a list that was asked for at the given
// time or later.
func (c *closedShards) isClosed(shard int, since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shards.closed(shard, since)
}

// doubt returns what shardList.doubt says of the shard.
func (c *closedShards) doubt(shard int) (unknown bool, trouble error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shards.doubt(shard)
}

// startAsking reports whether the caller is to ask.
func (c *closedShards) startAsking(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shards.startAsking(now)
}

// ask asks for the list and notes what came of it. It comes back soon after ctx ends.
func (c *closedShards) ask(ctx context.Context, log *zap.Logger) {
	asked := time.Now()
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	var list []sls.Shard
	err := processor.ErrGoexit
	defer func() { c.onAnswer(ctx, log, asked, list, err) }()
	err = contain.Call("Client.ListShards", func() (err error) {
		list, err = c.list(limited)
		return err
	})
}

// onAnswer notes the answer, and logs what has changed.
func (c *closedShards) onAnswer(ctx context.Context, log *zap.Logger, asked time.Time, list []sls.Shard, err error) {
	c.mu.Lock()
	var n changes
	if err != nil && ctx.Err() != nil {
		c.shards.abandon()
	} else {
		n = c.shards.onAnswer(asked, time.Now(), list, err)
	}
	c.mu.Unlock()
	switch {
	case n.failed != nil:
		log.Warn("the list of shards cannot be had; reading goes on", zap.Error(n.failed), zap.Duration("retry", n.retry))
	case n.recovered:
		log.Info("the list of shards can be had again")
	}
	for _, s := range n.odd {
		log.Warn("the state of a shard is not known; it counts as open", zap.Int("number", s.Number), zap.String("status", s.OddStatus))
	}
}

// background owns the goroutines on which a reader asks for the list of shards.
type background struct {
	ctx  context.Context // nil: it has never asked
	stop context.CancelFunc
	wait sync.WaitGroup
}

// launch starts f. Owner: the reader. Stop and waiter: close. The values of ctx count, its
// end does not: a read that is over does not end the asking.
func (a *background) launch(ctx context.Context, f func(context.Context)) {
	if a.ctx == nil {
		a.ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	}
	a.wait.Go(func() { f(a.ctx) })
}

// close has what was launched end, and waits for that.
func (a *background) close() {
	if a.ctx == nil {
		return
	}
	a.stop()
	a.wait.Wait()
}
