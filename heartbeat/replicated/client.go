package replicated

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// ErrClosed is the result of a call after Close.
var ErrClosed = errors.New("the client of the group is closed")

// ErrNewer is matched by the error of a process that meets a document or a record of a newer
// version of this package, which it cannot read, or must not write. Only an update helps.
var ErrNewer = state.ErrNewer

// Client is a group in a Store as one process sees it. It implements heartbeat.Client
// with all its abilities and processor.Checkpoints. Safe for concurrent use; it serves
// any number of members of its process, and must not be copied.
//
// It does nothing before the first call. From then on a few goroutines watch the group
// and, when it is this process's turn, change it; Close ends them.
type Client struct {
	cfg   Config
	store Store
	log   *zap.Logger

	mu       sync.Mutex // guards everything below; never held across I/O, a send or a call out
	replica  *state.Replica
	locals   map[string]*local // the instances that speak through this client, by name
	wakes    map[string]map[chan struct{}]struct{}
	claims   map[shardset.ID]claim
	born     uint64        // of the group of the claims
	changed  chan struct{} // closed, and made anew, with each version of the document
	changeAt time.Time     // when the last version came
	fault    error         // why the newest document cannot be read; nil: it can
	faultOf  uint64        // the revision of that document
	turn     turn
	health   watches
	joined   bool // a heartbeat has met the group, and brought or compared its shards
	running  bool
	closed   bool

	finding chan struct{} // has a value while somebody looks for the group
	kick    chan struct{} // something may be due: has a value while the stepper has not looked
	scope   chan struct{} // likewise for whether the records are to be watched
	ctx     context.Context
	stop    context.CancelFunc
	tasks   errgroup.Group
}

var (
	_ heartbeat.Client      = (*Client)(nil)
	_ heartbeat.Leaver      = (*Client)(nil)
	_ heartbeat.Notifier    = (*Client)(nil)
	_ heartbeat.Creator     = (*Client)(nil)
	_ heartbeat.Degradable  = (*Client)(nil)
	_ processor.Checkpoints = (*Client)(nil)
)

// New returns a Client. It reports every fault of the Config at once, and does no I/O.
func New(store Store, cfg Config) (*Client, error) {
	cfg, err := cfg.complete(store)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, store: store, log: cfg.Logger.With(zap.String("group", cfg.Group)),
		replica: state.NewReplica(), locals: map[string]*local{}, claims: map[shardset.ID]claim{},
		wakes: map[string]map[chan struct{}]struct{}{}, changed: make(chan struct{}),
		finding: make(chan struct{}, 1), kick: make(chan struct{}, 1), scope: make(chan struct{}, 1),
	}
	return c, nil
}

// Info describes the group: it promises everything that a Client can. Its members
// should beat four times in a TTL.
func (c *Client) Info() heartbeat.Info {
	return heartbeat.Info{
		Group:    c.cfg.Group,
		TTL:      c.cfg.TTL,
		Interval: c.cfg.TTL / 4,
		Guarantees: heartbeat.Guarantees{
			FencedCommit: true, AckedRevoke: true, Ordered: c.cfg.Ordered, Epochs: true, Push: true, Leave: true,
			Finish: true,
		},
	}
}

// Close ends what the Client has started, and waits for it. It does not leave the
// group: a coordinator does that when its Run ends. Calls after it, and those that are
// under way, fail. Calling it again does nothing.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	running := c.running
	c.mu.Unlock()
	if running {
		c.stop()
		_ = c.tasks.Wait() // every task returns nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for member, chans := range c.wakes {
		for wake := range chans {
			close(wake)
		}
		delete(c.wakes, member)
	}
}

// begin opens a call: it starts the goroutines at the first one. The context that it
// returns ends with the Client, too.
func (c *Client) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	if !c.running {
		c.running = true
		c.ctx, c.stop = context.WithCancel(context.Background())
		c.tasks.Go(func() error { c.followDocument(c.ctx); return nil })
		c.tasks.Go(func() error { c.followRecords(c.ctx); return nil })
		c.tasks.Go(func() error { c.work(c.ctx); return nil })
	}
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(c.ctx, func() { cancel(ErrClosed) })
	return ctx, func() { unhook(); cancel(nil) }, nil
}

// poke has the stepper look.
func (c *Client) poke() { signal(c.kick) }

// signal leaves a value in a channel of one place.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
