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

// Client gives one process access to a group in a Store. It implements heartbeat.Client with all
// its abilities and processor.Checkpoints. Safe for concurrent use; it serves any number of members
// of its process, and must not be copied.
//
// It starts its goroutines at the first call. They watch the group, and write the document when the
// processes before this one in rank have not. Close ends them.
type Client struct {
	cfg   Config
	store Store
	clock RecordClock // the store's ability; nil: it has none
	log   *zap.Logger

	visits chan *visit   // calls of the owner
	spare  sync.Pool     // finished visits, for reuse
	newest atomic.Uint64 // the revision of the newest document that the owner knows
	joined atomic.Bool   // a heartbeat has found the group, and set or compared its shards
	finds  chan struct{} // has a value while a call runs find
	writes lanes         // lets one call at a time write a member's record

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

// New returns a Client. It does no I/O. If it refuses the Config, the error is a
// *shardset.ConfigError that lists every fault.
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

// Info describes the group. The guarantee Ordered is Config.Ordered; all others are true. Info
// advises four heartbeats in a TTL.
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

// begin begins a call. The first call starts the owner. The returned context also ends when the
// Client is closed.
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

// launch starts a task in a goroutine. The task must return soon after the Client's context has
// ended. Close waits for it.
func (c *Client) launch(task func(ctx context.Context)) {
	c.tasks.Go(func() error { task(c.ctx); return nil })
}

// rest waits for d, or until ctx ends if that comes first.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
