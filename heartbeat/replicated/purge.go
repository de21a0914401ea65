package replicated

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// errNotDeleted is the result of Purge for a group that is in use.
var errNotDeleted error = finalError("the group is not deleted: Delete comes first")

// errAtWork is the result of Purge while a member of the deleted group still sends heartbeats,
// or a process creates a group of its name.
var errAtWork = errors.New("members of the deleted group are still at work, or a process creates it anew; try again later")

// Purge removes from the store what a deleted group has left: the records of its members, its
// checkpoints and its document. It needs a Store that is a Lister. If the group never existed,
// Purge does nothing. If the group is not deleted, Purge returns an error and removes nothing.
//
// Purge first waits for a TTL, and removes nothing if a member sends a heartbeat meanwhile. What it
// removes protects the next group of this name from the members and the positions of the deleted
// one. So Purge is safe only under two conditions. No process of the deleted group is left, not
// even a frozen one. No sink remembers epochs, because the next group takes its first epoch from
// the clock of the process that creates it. A Purge that was interrupted can be repeated.
func (c *Client) Purge(ctx context.Context) error {
	lister, ok := c.store.(Lister)
	if !ok {
		return fmt.Errorf("purge of group %q: the store cannot list its keys", c.cfg.Group)
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := c.purge(ctx, lister); err != nil {
		return fmt.Errorf("purge of group %q: %w", c.cfg.Group, err)
	}
	return nil
}

func (c *Client) purge(ctx context.Context, lister Lister) error {
	document, silence, err := c.deletedDocument(ctx)
	if err != nil || document == 0 {
		return err
	}
	before, err := c.revisions(ctx, lister, KindRecord)
	if err != nil {
		return err
	}
	if rest(ctx, silence); ctx.Err() != nil {
		return context.Cause(ctx)
	}
	records, err := c.revisions(ctx, lister, KindRecord)
	if err != nil {
		return err
	}
	again, _, err := c.deletedDocument(ctx)
	if err != nil {
		return err
	}
	if again != document || !maps.Equal(before, records) {
		return errAtWork
	}
	checkpoints, err := c.revisions(ctx, lister, KindCheckpoint)
	if err != nil {
		return err
	}
	// The document comes last: without it, no process could tell that the other keys are of a
	// deleted group.
	for _, all := range []map[Key]uint64{records, checkpoints, {documentKey: document}} {
		if err := c.remove(ctx, all); err != nil {
			return err
		}
	}
	return c.report(func(o *owner, now time.Time) { o.DocumentPurged(now, document) })
}

// deletedDocument returns the revision of a deleted group's document, zero if there is none, and
// how long after their last heartbeats its members have expired.
func (c *Client) deletedDocument(ctx context.Context) (revision uint64, silence time.Duration, err error) {
	v, err := c.store.Get(ctx, documentKey)
	if err != nil || v.Data == nil {
		return 0, 0, err
	}
	d, err := state.DecodeDocument(v.Data)
	if err != nil {
		return 0, 0, err
	}
	if !d.Deleted {
		return 0, 0, errNotDeleted
	}
	return v.Revision, d.Group.State().Expiry(), nil
}

// revisions returns all keys of a kind that hold something, with their revisions.
func (c *Client) revisions(ctx context.Context, lister Lister, kind Kind) (map[Key]uint64, error) {
	keys, err := lister.Keys(ctx, kind)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // guards found
	found := make(map[Key]uint64, len(keys))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAtOnce)
	for _, k := range keys {
		g.Go(func() error {
			v, err := c.store.Get(ctx, k)
			if err == nil && v.Data != nil {
				mu.Lock()
				defer mu.Unlock()
				found[k] = v.Revision
			}
			return err
		})
	}
	return found, g.Wait()
}

// remove deletes keys at these revisions. If a key has changed since, a member is still working:
// the error matches errAtWork.
func (c *Client) remove(ctx context.Context, keys map[Key]uint64) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAtOnce)
	for k, revision := range keys {
		g.Go(func() error {
			err := c.store.Delete(ctx, k, revision)
			if isConflict(err) {
				return fmt.Errorf("%s: %w", k, errAtWork)
			}
			return err
		})
	}
	return g.Wait()
}
