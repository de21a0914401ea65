package replicated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

var documentKey = Key{Kind: KindDocument}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }

// ensure makes sure that this process knows the group. Where there is none, or where it was
// deleted, the error matches heartbeat.ErrGroupNotFound: to look at a group never makes it.
func (c *Client) ensure(ctx context.Context) error { return c.ensureMade(ctx, nil) }

// ensureMade is ensure, but of a group that never was it makes one with these shards, if there
// are any.
func (c *Client) ensureMade(ctx context.Context, shards []shardset.Shard) error {
	if known, deleted := c.known(); !known || deleted {
		if err := c.find(ctx, shards); err != nil {
			return err
		}
	}
	c.mu.Lock()
	ordered, known := c.replica.Ordered(), c.replica.TTL() != 0
	c.mu.Unlock()
	if known && ordered != c.cfg.Ordered {
		return &MismatchError{Field: "Ordered", Ours: c.cfg.Ordered, Group: ordered}
	}
	return nil
}

// join is ensure for a heartbeat. The first one brings the shards of the Config, if it has
// any: to a group that never was, which is made with them, and to one that has none.
func (c *Client) join(ctx context.Context) error {
	if err := c.ensureMade(ctx, c.cfg.Shards); err != nil {
		return err
	}
	c.mu.Lock()
	known, joined, shards := c.replica.TTL() != 0, c.joined, c.replica.Shards()
	c.mu.Unlock()
	if joined || !known {
		return nil
	}
	if len(shards) == 0 && len(c.cfg.Shards) > 0 {
		if err := c.bring(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	joined, shards = c.joined, c.replica.Shards()
	c.joined = true
	ttl := c.replica.TTL()
	c.mu.Unlock()
	if !joined {
		c.compare(shards, ttl)
	}
	return nil
}

// bring gives the shards of the Config to a group that has none.
func (c *Client) bring(ctx context.Context) error {
	return c.edit(ctx, nil, func() ([]byte, error) {
		if len(c.replica.Shards()) > 0 {
			return nil, nil // somebody else was quicker
		}
		return c.replica.Change(func(g *group.Group) error { return g.SetShards(time.Time{}, c.cfg.Shards) })
	})
}

// compare says so if the group has another TTL or other shards than the Config: somebody
// may have meant that, by SetTTL or SetShards, or wonder.
func (c *Client) compare(shards []shardset.ID, ttl time.Duration) {
	if ttl != c.cfg.TTL && c.cfg.ownTTL {
		c.log.Warn("the group has another TTL than the Config, and keeps it; SetTTL changes it",
			zap.Duration("ttl", ttl), zap.Duration("config", c.cfg.TTL))
	}
	ours := make([]shardset.ID, len(c.cfg.Shards))
	for i, s := range c.cfg.Shards {
		ours[i] = s.ID
	}
	slices.SortFunc(ours, shardset.ID.Compare)
	switch {
	case len(shards) == 0:
		c.log.Warn("the group has no shards: nobody has anything to do")
	case len(ours) > 0 && !slices.Equal(ours, shards):
		c.log.Warn("the group has other shards than the Config, and keeps them", zap.Int("group", len(shards)), zap.Int("config", len(ours)))
	}
}

// find reads the document, and makes a group that never was if there are shards for it.
// One call at a time does that for all.
func (c *Client) find(ctx context.Context, shards []shardset.Shard) error {
	select {
	case c.finding <- struct{}{}:
		defer func() { <-c.finding }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	known, deleted := c.known()
	if !known || deleted {
		if err := c.refresh(ctx); err != nil {
			return err
		}
		known, deleted = c.known()
	}
	switch {
	case known && !deleted:
		return nil
	case !known && len(shards) > 0:
		return c.create(ctx, shards)
	}
	return c.notFound()
}

// documentError says of an error that it is about the group's document.
func (c *Client) documentError(err error) error {
	return fmt.Errorf("document of group %q: %w", c.cfg.Group, err)
}

func (c *Client) notFound() error {
	return fmt.Errorf("group %q: %w", c.cfg.Group, heartbeat.ErrGroupNotFound)
}

func (c *Client) known() (known, deleted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replica.Known()
}

// refresh reads the document by the store's best read.
func (c *Client) refresh(ctx context.Context) error {
	c.mu.Lock()
	seen := c.replica.Revision()
	c.mu.Unlock()
	start := time.Now()
	v, err := c.read(ctx, documentKey, seen)
	if err != nil {
		return c.documentError(err)
	}
	err = c.adoptRead(v, seen)
	if err == nil {
		c.mu.Lock()
		c.turn.currentAt = latest(c.turn.currentAt, start)
		c.mu.Unlock()
	}
	return err
}

// read reads a key of which a version was seen. One that is older may come from a machine
// that does not know yet that it leads no more, so it is looked at again before anybody
// takes it for lost writes.
func (c *Client) read(ctx context.Context, k Key, seen uint64) (Value, error) {
	for try := 0; ; try++ {
		v, err := c.store.Get(ctx, k)
		if err != nil || v.Data != nil && v.Revision >= seen || seen == 0 || try == readsToBelieve {
			return v, err
		}
		rest(ctx, c.readPause())
	}
}

// readsToBelieve is how often a version that is older than what was seen has to be read
// again, with pauses, to be believed.
const readsToBelieve = 3

// readPause is the time between two reads of which the first was not the newest.
func (c *Client) readPause() time.Duration { return min(c.cfg.TTL/100, 100*time.Millisecond) }

// pace waits before a try that is not one of the first two: what was read before it is
// not the newest.
func (c *Client) pace(ctx context.Context, try int) {
	if try > 1 {
		rest(ctx, c.readPause())
	}
}

// adoptRead takes a version of the document that was read. One that is older than what had
// been seen before says that the store has lost writes, or that it does not know its own
// newest: either way, what this process believes may be granted to somebody else.
func (c *Client) adoptRead(v Value, seen uint64) error {
	if v.Revision < seen || v.Data == nil && seen != 0 {
		c.mu.Lock()
		_, deleted := c.replica.Known()
		c.forget()
		c.mu.Unlock()
		if deleted && v.Revision == 0 {
			return nil // somebody has purged it
		}
		c.log.Warn("the group's document went back: the store has lost writes", zap.Uint64("seen", seen), zap.Uint64("found", v.Revision))
		return nil
	}
	if v.Data == nil {
		return nil
	}
	c.mu.Lock()
	if v.Revision < c.faultOf {
		c.fault = nil // the store has lost the version that could not be read
	}
	c.mu.Unlock()
	return c.adopt(v)
}

// adopt takes a version of the document, from a watch, which may be late, or from a
// write. It is read before anybody takes mu: a large or damaged one takes a while.
func (c *Client) adopt(v Value) error {
	c.mu.Lock()
	before := c.replica.Revision()
	c.mu.Unlock()
	if v.Revision <= before {
		return nil
	}
	version, err := state.ReadVersion(v.Data)
	now := time.Now()
	c.mu.Lock()
	before = c.replica.Revision()
	switch {
	case v.Revision <= before:
		err = nil // another one has come meanwhile
	case err != nil:
		c.unreadable(v.Revision, err)
	default:
		if err = c.replica.Adopt(now, v.Revision, version); err != nil {
			c.forget()
		}
	}
	changed := c.replica.Revision() != before
	if changed && err == nil {
		c.fault = nil
		if born := c.replica.Born(); born != c.born {
			c.born = born
			clear(c.claims) // what was claimed belongs to a group that was deleted
		}
		c.tell(now)
	}
	c.mu.Unlock()
	if err != nil {
		c.log.Warn("the group's document cannot be used", zap.Uint64("revision", v.Revision), zap.Error(err))
		return c.documentError(err)
	}
	if changed {
		c.poke()
	}
	return nil
}

// swapDocument writes the document over the version old, and adopts what it wrote. The error
// matches ErrConflict if the store has another version than old.
func (c *Client) swapDocument(ctx context.Context, old uint64, data []byte) error {
	revision, err := c.store.Swap(ctx, documentKey, old, data)
	if err != nil {
		return c.documentError(err)
	}
	return c.adopt(Value{Data: data, Revision: revision})
}

// unreadable notes that a version of the document is of no use: heartbeats end until
// another one is there. The caller holds mu.
func (c *Client) unreadable(revision uint64, err error) {
	c.fault, c.faultOf = c.documentError(err), revision
}

// tooOld reports whether the newest document is of a newer version, so that this process
// neither writes it nor judges its members. The caller holds mu.
func (c *Client) tooOld() bool {
	return errors.Is(c.fault, state.ErrNewer) || c.replica.Writable() != nil
}

// forget ends every instance of this process and what it knows of the group: they join
// anew, and the records are shown to it anew. The caller holds mu.
func (c *Client) forget() {
	for _, l := range c.locals {
		c.end(l)
	}
	c.replica.Forget()
	c.fault = nil
	c.turn.lookAt, c.turn.looked = time.Time{}, nil
	if c.turn.seeing = false; c.turn.endWatch != nil {
		c.turn.endWatch()
	}
	c.tell(time.Now())
}
