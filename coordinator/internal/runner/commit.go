package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// Commit implements processor.Host.
func (a *attempt) Commit(ctx context.Context, p processor.Position) error {
	defer a.begin(ctx, "Commit").End() // its hooks may hang
	c := processor.Commit{Member: a.runner.cfg.Member, Lease: a.lease(), Position: p}
	err := a.commit(ctx, &c)
	if err != nil {
		err = fmt.Errorf("commit of shard %s at %q: %w", a.id, p, err)
	}
	a.committed(c, err)
	if after := a.runner.cfg.Hooks.After; after != nil {
		after(c, err)
	}
	return err
}

func (r *Run) commit(ctx context.Context, c *processor.Commit) error {
	if err := r.mayCommit(ctx, time.Now()); err != nil {
		return err
	}
	if before := r.runner.cfg.Hooks.Before; before != nil {
		if err := before(ctx, *c); err != nil {
			return err
		}
	}
	r.checkMoved(ctx, time.Now())
	// The hook and the check may have taken long, or the process was frozen: check again.
	start := time.Now()
	if err := r.mayCommit(ctx, start); err != nil {
		return err
	}
	ctx, cancel := r.storeContext(ctx, start)
	defer cancel()
	if err := r.setCancelSave(cancel); err != nil {
		return err
	}
	defer r.setCancelSave(nil)
	err := r.runner.cfg.Checkpoints.Save(ctx, r.owner(), c.Position)
	c.Took = time.Since(start)
	r.written.saved(c.Position, err)
	if errors.Is(err, processor.ErrNotOwner) {
		r.Cancel(processor.ErrNotOwner)
	}
	return err
}

// mayCommit returns an error if the shard is lost or ctx has ended.
func (r *Run) mayCommit(ctx context.Context, now time.Time) error {
	if err := r.check(now); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// storeContext bounds a call of the store by the commit timeout and by the lease. Without the
// lease, a store that cannot fence would accept a late save after the shard has a new owner.
func (r *Run) storeContext(ctx context.Context, now time.Time) (context.Context, context.CancelFunc) {
	end := now.Add(r.runner.cfg.CommitTimeout)
	if notAfter := r.member.NotAfter(); notAfter.Before(end) {
		end = notAfter
	}
	return context.WithDeadline(ctx, end)
}
