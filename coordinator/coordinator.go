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

	mu   sync.Mutex // guards the fields below; held to read or set them only
	run  *run       // nil before Run
	last *Status    // set when Run has returned
}

// New checks the configuration and returns a Coordinator that has done nothing yet:
// no goroutine, no network. The error is a *shardset.ConfigError with every fault.
func New(cfg Config) (*Coordinator, error) {
	cfg, info, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Coordinator{cfg: cfg, info: info}, nil
}

// Run joins the group and processes the shards it is given until ctx ends. It then
// takes no more shards, ends the running ones with the cause processor.ErrShutdown,
// waits up to Config.DrainTimeout, leaves the group and returns nil. Call it once; a
// second call returns ErrRunTwice. With Config.Finite it does the same, and returns
// nil, as soon as nothing is left to do in the whole group.
//
// It returns earlier when it cannot go on. The error then matches
// heartbeat.ErrUnauthorized or what else the service called final; heartbeat.ErrReplaced
// or heartbeat.ErrGroupNotFound, for which all shards are lost at once; or it is a
// *shardset.IntervalError, if Config.Interval does not fit the group's TTL at the first
// answer, or no interval does; ErrNotOrdered; or what a processor returned as
// processor.Fatal. Where the service may take other
// credentials later, heartbeat.ErrUnauthorized ends Run only when the lease is over.
// Shards that are not lost are drained, as long as the lease lasts: after an error that
// is final for the service there are no more heartbeats to extend it.
//
// Run returns at most 100 ms after the DrainTimeout. What is still running then is
// named in a *DrainError, joined with the reason if there is one.
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

// Status returns a snapshot. It may be called at any time from any goroutine, hooks
// and processors included.
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
	// The client may have to be waited for, and the owner waits for nobody.
	if d, ok := c.cfg.Group.(heartbeat.Degradable); ok && s.State != StateStopped {
		s.degrade(d.Degraded())
	}
	return s
}
