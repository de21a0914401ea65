package coordinator

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// Coordinator is one member of one group. Make it with New.
type Coordinator struct {
	cfg  Config
	info heartbeat.Info // of the group and the store together
	used atomic.Bool

	mu   sync.Mutex // guards the fields below; held only to read or set them
	run  *run       // nil before Run
	last *Status    // set when Run has returned
}

// New checks the Config and returns a Coordinator. It starts no goroutine and uses no network.
// The error is a *shardset.ConfigError with every fault.
func New(cfg Config) (*Coordinator, error) {
	cfg, info, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Coordinator{cfg: cfg, info: info}, nil
}

// Run joins the group and processes the shards that are assigned to it, until ctx ends. Then it
// takes no more shards, stops the running ones with the cause processor.ErrShutdown, waits for
// them up to Config.DrainTimeout, leaves the group and returns nil. With Config.Finite it does
// the same once all work of the group is complete. Call Run once; a second call returns
// ErrRunTwice.
//
// Run returns earlier if it cannot continue, with an error that matches one of these:
//
//   - heartbeat.ErrUnauthorized. If the service may accept other credentials later, Run first
//     tries again until the lease expires.
//   - heartbeat.ErrReplaced or heartbeat.ErrGroupNotFound: all shards are lost at once.
//   - Any other error that the service declared final (heartbeat.Retryable).
//   - A *shardset.IntervalError: the TTL of the first answer is too short for
//     Config.Interval, or the TTL is too short for any interval.
//   - ErrNotOrdered.
//   - An error that a processor returned, marked with processor.Fatal.
//
// Shards that are not lost still drain, at most until the lease expires. After a final error of
// the service, Run sends no more heartbeats, so nothing extends the lease.
//
// Run returns at most 100 ms after DrainTimeout has passed. If something is still running then,
// the error also matches a *DrainError, which names it.
func (c *Coordinator) Run(ctx context.Context) error {
	if c.used.Swap(true) {
		return ErrRunTwice
	}
	if ctx.Err() != nil {
		return nil
	}
	r := newRun(c.cfg, c.info)
	c.mu.Lock()
	c.run = r
	c.mu.Unlock()

	err := r.run(ctx)
	last := r.status(StateStopped)
	c.mu.Lock()
	c.last = &last
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("member %q of group %q: %w", c.cfg.Member, r.info.Group, err)
	}
	return nil
}

// Status returns a snapshot. It may be called at any time from any goroutine, including hooks
// and processors.
func (c *Coordinator) Status() Status {
	c.mu.Lock()
	r, last := c.run, c.last
	c.mu.Unlock()
	if last != nil {
		s := *last
		s.Shards = slices.Clone(last.Shards)
		return s
	}
	if r == nil {
		return Status{Group: c.info.Group, Guarantees: c.info.Guarantees, Member: c.cfg.Member, State: StateIdle}
	}
	s := r.snapshot()
	// Not on the owner's goroutine: the client may be slow.
	if d, ok := c.cfg.Group.(heartbeat.Degradable); ok && s.State != StateStopped {
		s.degrade(d.Degraded())
	}
	return s
}
