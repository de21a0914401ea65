package replicated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/schedule"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

var documentKey = Key{Kind: KindDocument}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }

// ensure makes sure that this process knows the group. If there is none, or if it was deleted,
// the error matches heartbeat.ErrGroupNotFound: reading a group never creates it.
func (c *Client) ensure(ctx context.Context) error { return c.ensureCreated(ctx, nil) }

// ensureCreated is ensure, but if the group never existed and there are shards, it creates the
// group with them.
func (c *Client) ensureCreated(ctx context.Context, shards []shardset.Shard) error {
	if known, deleted := c.known(); !known || deleted {
		if err := c.find(ctx, shards); err != nil {
			return err
		}
	}
	var ordered bool
	var ttl time.Duration
	if err := c.ask(func(o *owner, _ time.Time) { ordered, ttl = o.Ordered(), o.TTL() }); err != nil {
		return err
	}
	if ttl != 0 && ordered != c.cfg.Ordered {
		return &mismatchError{Field: "Ordered", Ours: c.cfg.Ordered, Group: ordered}
	}
	return nil
}

// join is ensure for a heartbeat. If the group never existed, join creates it with the shards of
// the Config, if there are any. If the group has no shards, join gives it those of the Config.
func (c *Client) join(ctx context.Context) error {
	if err := c.ensureCreated(ctx, c.cfg.Shards); err != nil {
		return err
	}
	shards, ttl, err := c.shards()
	if c.joined.Load() || ttl == 0 || err != nil {
		return err
	}
	if len(shards) == 0 && len(c.cfg.Shards) > 0 {
		if err := c.giveShards(ctx); err != nil {
			return err
		}
		if shards, ttl, err = c.shards(); err != nil {
			return err
		}
	}
	if c.joined.CompareAndSwap(false, true) {
		c.compare(shards, ttl)
	}
	return nil
}

// shards returns the group's shards and TTL; without a group the TTL is zero.
func (c *Client) shards() (shards []shardset.ID, ttl time.Duration, err error) {
	err = c.ask(func(o *owner, _ time.Time) { shards, ttl = o.Shards(), o.TTL() })
	return shards, ttl, err
}

// giveShards gives the shards of the Config to a group that has none.
func (c *Client) giveShards(ctx context.Context) error {
	return c.edit(ctx, nil, func(r *state.Replica) ([]byte, error) {
		if len(r.Shards()) > 0 {
			return nil, nil // another process was faster
		}
		return r.Change(func(g *group.Group) error { return g.SetShards(time.Time{}, c.cfg.Shards) })
	})
}

// compare logs that the group has another TTL or other shards than the Config. An operator may have
// changed the group by SetTTL or SetShards, or may have forgotten that.
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
		c.log.Warn("the group has no shards, so its members have nothing to do")
	case len(ours) > 0 && !slices.Equal(ours, shards):
		c.log.Warn("the group has other shards than the Config, and keeps them", zap.Int("group", len(shards)), zap.Int("config", len(ours)))
	}
}

// find reads the document, and creates a group that never existed if there are shards for it.
// One call at a time does that, and the others wait for its result.
func (c *Client) find(ctx context.Context, shards []shardset.Shard) error {
	select {
	case c.finds <- struct{}{}:
		defer func() { <-c.finds }()
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

// documentError adds to an error that it is about the group's document.
func (c *Client) documentError(err error) error {
	return fmt.Errorf("document of group %q: %w", c.cfg.Group, err)
}

func (c *Client) notFound() error {
	return fmt.Errorf("group %q: %w", c.cfg.Group, heartbeat.ErrGroupNotFound)
}

func (c *Client) known() (known, deleted bool) {
	_ = c.ask(func(o *owner, _ time.Time) { known, deleted = o.Known() })
	return known, deleted
}

// refresh reads the document, and passes it to the owner.
func (c *Client) refresh(ctx context.Context) error {
	began, seen := time.Now(), c.newest.Load()
	v, err := c.read(ctx, documentKey, seen)
	if err != nil {
		return c.documentError(err)
	}
	d := c.decodeDocument(v)
	if visitErr := c.report(func(o *owner, now time.Time) { err = o.DocumentRead(now, began, seen, d) }); visitErr != nil {
		return visitErr
	}
	return err
}

// decodeDocument decodes a version of the document, unless a newer one is known. Decoding a large
// document takes a while.
func (c *Client) decodeDocument(v Value) schedule.Document {
	d := schedule.Document{Revision: v.Revision, Exists: v.Data != nil}
	if d.Exists && d.Revision > c.newest.Load() {
		d.Version, d.Err = state.ReadVersion(v.Data)
	}
	return d
}

// show passes a version of the document to the owner. The version comes from a write, or from a
// watch, which may lag.
func (c *Client) show(v Value) (err error) {
	if v.Revision <= c.newest.Load() {
		return nil
	}
	d := c.decodeDocument(v)
	if visitErr := c.report(func(o *owner, now time.Time) { err = o.DocumentSeen(now, d) }); visitErr != nil {
		return visitErr
	}
	return err
}

// swapDocument writes the document over the version old, and passes it to the owner. The error
// matches ErrConflict if the store has another version than old.
func (c *Client) swapDocument(ctx context.Context, old uint64, data []byte) error {
	revision, err := c.store.Swap(ctx, documentKey, old, data)
	if err != nil {
		return c.documentError(err)
	}
	return c.show(Value{Data: data, Revision: revision})
}

// read reads a key of which this process has seen the revision seen. A machine that has lost the
// leadership, and does not know that yet, may return an older version. So read repeats the read a
// few times before it returns an older version, which means that writes were lost.
func (c *Client) read(ctx context.Context, k Key, seen uint64) (Value, error) {
	for try := 0; ; try++ {
		v, err := c.store.Get(ctx, k)
		if err != nil || v.Data != nil && v.Revision >= seen || seen == 0 || try == readsToBelieve {
			return v, err
		}
		rest(ctx, c.readPause())
	}
}

// readsToBelieve is how often read repeats a read, with pauses, before it returns an older version.
const readsToBelieve = 3

// readPause is the pause before a key is read again because its version was older than expected.
func (c *Client) readPause() time.Duration { return min(c.cfg.TTL/100, 100*time.Millisecond) }

// pace waits before the third and every later try. Two conflicts in a row can mean that reads
// return outdated versions.
func (c *Client) pace(ctx context.Context, try int) {
	if try > 1 {
		rest(ctx, c.readPause())
	}
}
