package replicated

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/schedule"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Create creates the group with the shards of the Config, if there is none. If a group of this name
// was deleted before, the new one has higher epochs, and the old checkpoints are void. Members of
// the deleted group may still be working: a shard that one of them owned is granted only after that
// member has left, has joined as a new instance, or has sent no heartbeat for a TTL. A Config
// without shards creates no group: the error matches heartbeat.ErrGroupNotFound.
func (c *Client) Create(ctx context.Context) error {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	return c.create(ctx, c.cfg.Shards)
}

func (c *Client) create(ctx context.Context, shards []shardset.Shard) error {
	for try := 0; ; try++ {
		c.pace(ctx, try)
		v, err := c.store.Get(ctx, documentKey)
		if err != nil {
			return c.documentError(err)
		}
		var gone *state.Document
		if v.Data != nil {
			d, err := state.DecodeDocument(v.Data)
			if err != nil {
				return c.documentError(err)
			}
			if !d.Deleted {
				return c.show(v)
			}
			gone = &d
		}
		if len(shards) == 0 {
			return fmt.Errorf("the Config has no shards to make it with: %w", c.notFound())
		}
		data, err := c.cfg.document(shards, uint64(time.Now().UnixMilli()), gone)
		if err != nil {
			return err
		}
		if err := c.swapDocument(ctx, v.Revision, data); !isConflict(err) {
			return err
		}
	}
}

// Delete deletes the group: heartbeats and commits fail with heartbeat.ErrGroupNotFound until
// Create, and its checkpoints are void. The document keeps the members that may still be working,
// because Create needs them. When no member works any more, Purge removes everything. Use
// ForceDelete if the document is damaged, or if a newer version of this package wrote it.
func (c *Client) Delete(ctx context.Context) error {
	return c.edit(ctx, nil, (*state.Replica).Delete)
}

// ForceDelete is Delete, but it also works if this process cannot read the document or must not
// write it. If the document can be read, the members that may still be working stay in it. If it
// cannot be read, stop all workers of the group before Create, or wait for a TTL.
func (c *Client) ForceDelete(ctx context.Context) error {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	for try := 0; ; try++ {
		c.pace(ctx, try)
		v, err := c.store.Get(ctx, documentKey)
		if err != nil {
			return c.documentError(err)
		}
		if v.Data == nil {
			return c.notFound()
		}
		gone, err := state.DeletedDocument(v.Data, c.cfg.group(uint64(time.Now().UnixMilli())))
		if err != nil {
			return err
		}
		err = c.swapDocument(ctx, v.Revision, gone)
		if err == nil {
			c.log.Warn("the group was deleted by force", zap.Uint64("revision", v.Revision))
		}
		if !isConflict(err) {
			return err
		}
	}
}

// SetShards replaces the group's shards, with their parents. It keeps the checkpoints of shards
// that are not listed any more. If the list is invalid, SetShards changes nothing. If the group
// never existed, SetShards creates it, unless the list is empty.
func (c *Client) SetShards(ctx context.Context, shards []shardset.Shard) error {
	return c.edit(ctx, shards, func(r *state.Replica) ([]byte, error) {
		return r.Change(func(g *group.Group) error { return g.SetShards(time.Time{}, shards) })
	})
}

// SetTTL changes the group's TTL while it runs; positions and shards stay where they are. The
// change is complete when each member's record shows that the member has seen it, which takes two
// heartbeats. Until then leases have the shorter of the old and the new TTL, and members expire
// after the longer one; Snapshot has both. A member that sends no heartbeat delays the change until
// it leaves or expires. The TTL must be 300 ms to group.MaxTTL, so that three heartbeats fit. If
// there is no group, the error matches heartbeat.ErrGroupNotFound.
func (c *Client) SetTTL(ctx context.Context, ttl time.Duration) error {
	if least := shardset.MinHeartbeats * shardset.ShortestInterval; ttl < least || ttl > group.MaxTTL {
		return fmt.Errorf("the TTL is %v; it must be %v to %v", ttl, least, group.MaxTTL)
	}
	return c.edit(ctx, nil, func(r *state.Replica) ([]byte, error) {
		return r.Change(func(g *group.Group) error { return g.SetTTL(time.Time{}, ttl) })
	})
}

// Snapshot returns the members and the owners of the shards, from the newest document that this
// process knows. The document has no leases, so MemberInfo.Expires means nothing here. If there is
// no group, the error matches heartbeat.ErrGroupNotFound.
func (c *Client) Snapshot(ctx context.Context) (group.Snapshot, error) {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return group.Snapshot{}, err
	}
	defer done()
	if err := c.ensure(ctx); err != nil {
		return group.Snapshot{}, err
	}
	var s group.Snapshot
	if visitErr := c.ask(func(o *owner, _ time.Time) { s, err = o.Snapshot() }); visitErr != nil {
		return s, visitErr
	}
	return s, err
}

// edit changes the document for a caller. It tries again whenever another process has written the
// document in between. If the group never existed and there are shards, edit creates it with them.
// The owner calls change, which returns the new document, or nil if nothing changes.
func (c *Client) edit(ctx context.Context, shards []shardset.Shard, change func(r *state.Replica) ([]byte, error)) error {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	for try := 0; ; try++ {
		c.pace(ctx, try)
		if err := c.ensureCreated(ctx, shards); err != nil {
			return err
		}
		var w schedule.Write
		var known bool
		if visitErr := c.report(func(o *owner, _ time.Time) { w, known, err = o.Edit(change) }); visitErr != nil {
			return visitErr
		}
		if !known { // the group has gone since
			continue
		}
		if err == nil && w.Data != nil {
			_, err = state.ReadVersion(w.Data) // a document that no process could read is not written
		}
		if err != nil || w.Data == nil {
			return err
		}
		if err := c.swapDocument(ctx, w.Over, w.Data); !isConflict(err) {
			return err
		}
		if err := c.refresh(ctx); err != nil {
			return err
		}
	}
}
