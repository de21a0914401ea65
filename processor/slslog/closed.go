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

// listTimeout bounds one request for the list of shards. The client's own timeout is meant for pages.
const listTimeout = 10 * time.Second

// closedShards knows from the list of shards which are closed. Pages do not show it: the end of a
// closed shard looks like the end of an open one. A closed shard may still have logs that were not
// read. The shard is complete when a read finds nothing, if the shard was known to be closed before
// that read began.
//
// One reader at a time requests the list, on a goroutine of its own. The other readers use the last
// list. If a request fails, reading goes on.
type closedShards struct {
	list func(context.Context) ([]sls.Shard, error)

	mu     sync.Mutex // guards shards; never held during a request
	shards shardList
}

// isClosed reports whether a list that was requested at the given time or later says that the shard is
// closed.
func (c *closedShards) isClosed(shard int, since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shards.isClosed(shard, since)
}

// stateUnknown calls shardList.stateUnknown.
func (c *closedShards) stateUnknown(shard int) (unknown bool, trouble error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shards.stateUnknown(shard)
}

// startRequest reports whether the caller has to call request.
func (c *closedShards) startRequest(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shards.startRequest(now)
}

// request requests the list and notes the answer. It returns soon after ctx ends.
func (c *closedShards) request(ctx context.Context, log *zap.Logger) {
	requestedAt := time.Now()
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	var list []sls.Shard
	err := processor.ErrGoexit
	defer func() { c.onAnswer(ctx, log, requestedAt, list, err) }()
	err = contain.Call("Client.ListShards", func() (err error) {
		list, err = c.list(limited)
		return err
	})
}

// onAnswer notes the answer, and logs what has changed.
func (c *closedShards) onAnswer(ctx context.Context, log *zap.Logger, requestedAt time.Time, list []sls.Shard, err error) {
	c.mu.Lock()
	var changed changes
	if err != nil && ctx.Err() != nil {
		c.shards.abandon()
	} else {
		changed = c.shards.onAnswer(requestedAt, time.Now(), list, err)
	}
	c.mu.Unlock()
	switch {
	case changed.failed != nil:
		log.Warn("the list of shards is not available; reading goes on", zap.Error(changed.failed), zap.Duration("retry", changed.retry))
	case changed.recovered:
		log.Info("the list of shards is available again")
	}
	for _, s := range changed.unknownState {
		log.Warn("the service reports an unknown state of a shard; it counts as open", zap.Int("number", s.Number), zap.String("status", s.UnknownStatus))
	}
}

// background owns the goroutines that a reader starts.
type background struct {
	ctx  context.Context // nil: none was started
	stop context.CancelFunc
	wait sync.WaitGroup
}

// launch starts f. Owner: the reader. Stop and waiter: close. The context of f has the values of ctx, but
// does not end with it: f may run longer than the read that started it.
func (b *background) launch(ctx context.Context, f func(context.Context)) {
	if b.ctx == nil {
		b.ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	}
	b.wait.Go(func() { f(b.ctx) })
}

// close stops all goroutines and waits for them.
func (b *background) close() {
	if b.ctx == nil {
		return
	}
	b.stop()
	b.wait.Wait()
}
