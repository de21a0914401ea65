package replicated

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

// errClosed is the result of a call after Close.
var errClosed = errors.New("the client of the group is closed")

// Client is a group in a Store as one process sees it. It implements heartbeat.Client
// with all its abilities and processor.Checkpoints. Safe for concurrent use; it serves
// any number of members of its process, and must not be copied.
//
// It starts its goroutines at the first call. They watch the group, and write the document when no
// process before this one in rank has done it. Close ends them.
type Client struct {
	cfg   Config
	store Store
	clock RecordClock // the store's ability; nil: it has none
	log   *zap.Logger

	visits chan *visit   // calls of the owner
	spare  sync.Pool     // of visits that have been made
	newest atomic.Uint64 // the revision of the newest document that the owner knows
	joined atomic.Bool   // a heartbeat has met the group, and brought or compared its shards
	finds  chan struct{} // has a value while a call looks for the group
	writes lanes         // of records, by member

	mu      sync.Mutex // guards what follows, and is held for a moment only
	running bool
	closed  bool
	ctx     context.Context
	stop    context.CancelFunc
	tasks   errgroup.Group // the owner, and what it has launched; Close waits for them
}

var (
	_ heartbeat.Client      = (*Client)(nil)
	_ heartbeat.Leaver      = (*Client)(nil)
	_ heartbeat.Notifier    = (*Client)(nil)
	_ heartbeat.Creator     = (*Client)(nil)
	_ heartbeat.Degradable  = (*Client)(nil)
	_ processor.Checkpoints = (*Client)(nil)
)

// New returns a Client. It does no I/O. A Config that it refuses is a *shardset.ConfigError
// that has every fault.
func New(store Store, cfg Config) (*Client, error) {
	cfg, err := cfg.complete(store)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, store: store, log: cfg.Logger.With(zap.String("group", cfg.Group)),
		visits: make(chan *visit), finds: make(chan struct{}, 1),
	}
	c.clock, _ = store.(RecordClock)
	return c, nil
}

// Info describes the group. It promises every guarantee, Ordered only if the Config says so,
// and advises four heartbeats in a TTL.
func (c *Client) Info() heartbeat.Info {
	return heartbeat.Info{
		Group:    c.cfg.Group,
		TTL:      c.cfg.TTL,
		Interval: c.cfg.TTL / 4,
		Guarantees: heartbeat.Guarantees{
			FencedCommit: true, AckedRevoke: true, Ordered: c.cfg.Ordered, Epochs: true, Push: true, Leave: true,
			Completion: true,
		},
	}
}

// Close ends the goroutines of the Client, and waits for them. Calls that are under way, and
// later ones, fail. Close does not leave the group: a coordinator does that when its Run ends. A
// second Close does nothing.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	running := c.running
	c.mu.Unlock()
	if running {
		c.stop()
		_ = c.tasks.Wait() // every task returns nil
	}
}

// begin opens a call: it starts the owner at the first one. The context that it returns ends
// with the Client, too.
func (c *Client) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, errClosed
	}
	if !c.running {
		c.running = true
		c.ctx, c.stop = context.WithCancel(context.Background())
		o := newOwner(c)
		c.launch(o.run)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(c.ctx, func() { cancel(errClosed) })
	return ctx, func() { unhook(); cancel(nil) }, nil
}

// launch runs a task until it returns, which it does soon after the Client's context has
// ended. Close waits for it.
func (c *Client) launch(task func(ctx context.Context)) {
	c.tasks.Go(func() error { task(c.ctx); return nil })
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
