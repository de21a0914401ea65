package replicated

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/schedule"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func token(o processor.Owner) group.Token {
	return group.Token{Member: o.Member, Instance: o.Instance, ID: o.Lease.ID, Epoch: o.Lease.Epoch}
}

func notOwner(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, processor.ErrNotOwner)...)
}

// Load claims the shard's checkpoint for o, and returns the stored position. From then on, Save
// refuses every earlier owner. Load reports false if no position is stored. If o is not the owner,
// the error matches processor.ErrNotOwner.
func (c *Client) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return "", false, err
	}
	defer done()
	tok := token(o)
	if err := c.owns(ctx, tok); err != nil {
		return "", false, err
	}
	for try := 0; ; try++ {
		c.pace(ctx, try)
		cp, revision, err := c.readCheckpoint(ctx, tok.ID)
		if err != nil {
			return "", false, err
		}
		if cp.epoch > tok.Epoch || cp.epoch == tok.Epoch && cp.token(tok.ID) != tok {
			if cp.epoch >= state.MaxEpoch {
				return "", false, damaged(tok.ID) // no group can have granted this epoch
			}
			c.raiseEpochs(ctx, tok, cp.epoch)
			return "", false, notOwner("the checkpoint of shard %s is claimed under epoch %d", tok.ID, cp.epoch)
		}
		p := cp.position
		cp = checkpoint{member: tok.Member, instance: tok.Instance, epoch: tok.Epoch, position: p}
		newer, err := c.store.Swap(ctx, checkpointKey(tok.ID), revision, cp.encode())
		if err == nil {
			c.claimed(tok, newer)
			return p, p != "", nil
		}
		if !isConflict(err) {
			return "", false, fmt.Errorf("checkpoint of shard %s: %w", tok.ID, err)
		}
	}
}

// Save stores the position if o has claimed the shard's checkpoint and no later owner has.
// Otherwise it stores nothing and returns an error that matches processor.ErrNotOwner. An owner
// must save one position at a time: of two calls at once, either may be the last one.
func (c *Client) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := c.ensure(ctx); err != nil {
		return err
	}
	tok := token(o)
	var cl schedule.Claim
	var now group.Token
	var ok, owned bool
	err = c.ask(func(o *owner, _ time.Time) {
		cl, ok = o.Claim(tok.ID)
		now, owned = o.Owner(tok.ID)
	})
	if err != nil {
		return err
	}
	if owned && now.Epoch > tok.Epoch {
		return notOwner("shard %s has epoch %d, not %d", tok.ID, now.Epoch, tok.Epoch)
	}
	data := (&checkpoint{member: tok.Member, instance: tok.Instance, epoch: tok.Epoch, position: p}).encode()
	for try := 0; ; try++ {
		if !ok || cl.Token != tok || try > 0 {
			if cl, err = c.reclaim(ctx, tok); err != nil {
				return err
			}
		}
		revision, err := c.store.Swap(ctx, checkpointKey(tok.ID), cl.Revision, data)
		if err == nil {
			c.claimed(tok, revision)
			return nil
		}
		if !isConflict(err) || try >= maxTries {
			return fmt.Errorf("checkpoint of shard %s: %w", tok.ID, err)
		}
		ok = true
	}
}

// reclaim reads the revision of a checkpoint, and verifies that it is still claimed with tok.
func (c *Client) reclaim(ctx context.Context, tok group.Token) (schedule.Claim, error) {
	cp, revision, err := c.readCheckpoint(ctx, tok.ID)
	if err != nil {
		return schedule.Claim{}, err
	}
	if revision == 0 || cp.token(tok.ID) != tok {
		return schedule.Claim{}, notOwner("the checkpoint of shard %s is not claimed under epoch %d", tok.ID, tok.Epoch)
	}
	return schedule.Claim{Token: tok, Revision: revision}, nil
}

// owns verifies that the document has tok as the owner of its shard. If the version that this
// process knows has another owner, it reads the document once.
func (c *Client) owns(ctx context.Context, tok group.Token) error {
	for try := range 2 {
		if err := c.ensure(ctx); err != nil {
			return err
		}
		now, ok := c.ownerOf(tok.ID)
		if ok && now == tok {
			return nil
		}
		if try > 0 || ok && now.Epoch > tok.Epoch {
			break
		}
		if err := c.refresh(ctx); err != nil {
			return err
		}
	}
	return notOwner("shard %s is not held under epoch %d", tok.ID, tok.Epoch)
}

// raiseEpochs raises the group's epochs above an epoch that was found in a checkpoint, if tok is
// still the owner of the shard. The group's epochs are too low if its store has lost writes, or if
// it was created on a machine whose clock is behind. Load refuses this owner anyway; the group then
// grants the shard again.
func (c *Client) raiseEpochs(ctx context.Context, tok group.Token, epoch uint64) {
	if c.refresh(ctx) != nil {
		return
	}
	now, ok := c.ownerOf(tok.ID)
	if !ok || now != tok {
		return
	}
	c.log.Warn("a checkpoint has a later epoch than the group gives: the store has lost writes",
		zap.Stringer("shard", tok.ID), zap.Uint64("found", epoch), zap.Uint64("granted", tok.Epoch))
	err := c.edit(ctx, nil, func(r *state.Replica) ([]byte, error) {
		return r.Change(func(g *group.Group) error { g.RaiseEpochs(epoch); return nil })
	})
	if err != nil {
		c.log.Warn("the group's epochs could not be raised", zap.Error(err))
	}
}

func (c *Client) claimed(tok group.Token, revision uint64) {
	_ = c.ask(func(o *owner, _ time.Time) { o.Claimed(schedule.Claim{Token: tok, Revision: revision}) })
}

// ownerOf returns the owner of a shard according to the newest document.
func (c *Client) ownerOf(id shardset.ID) (tok group.Token, ok bool) {
	_ = c.ask(func(o *owner, _ time.Time) { tok, ok = o.Owner(id) })
	return tok, ok
}

// Position returns the stored position of a shard, for an operator. It reports false if there is
// none.
func (c *Client) Position(ctx context.Context, id shardset.ID) (processor.Position, bool, error) {
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return "", false, err
	}
	defer done()
	if err := c.ensure(ctx); err != nil {
		return "", false, err
	}
	cp, _, err := c.readCheckpoint(ctx, id)
	return cp.position, cp.position != "", err
}

// readCheckpoint reads a checkpoint. For a checkpoint of a deleted group it returns the zero
// checkpoint, with the revision.
func (c *Client) readCheckpoint(ctx context.Context, id shardset.ID) (checkpoint, uint64, error) {
	v, err := c.store.Get(ctx, checkpointKey(id))
	if err != nil {
		return checkpoint{}, 0, fmt.Errorf("checkpoint of shard %s: %w", id, err)
	}
	if v.Data == nil {
		return checkpoint{}, 0, nil
	}
	cp, err := decodeCheckpoint(v.Data)
	if err != nil {
		return checkpoint{}, 0, damaged(id)
	}
	var void uint64
	var known bool
	if err := c.ask(func(o *owner, _ time.Time) { void, known = o.Void() }); err != nil {
		return checkpoint{}, 0, err
	}
	if !known {
		return checkpoint{}, 0, fmt.Errorf("checkpoint of shard %s: the group's document is not known", id)
	}
	if cp.epoch <= void {
		cp = checkpoint{}
	}
	return cp, v.Revision, nil
}

// damaged is the error for a checkpoint that cannot be read.
func damaged(id shardset.ID) error {
	return processor.Halt(fmt.Errorf("%w: the %s is not touched; update this worker if a newer one runs in the group, "+
		"otherwise delete that key of the group in the store to process the shard as if nothing had been committed, "+
		"and restart the worker", errCheckpoint, checkpointKey(id)))
}

func checkpointKey(id shardset.ID) Key { return Key{Kind: KindCheckpoint, Name: id.String()} }
