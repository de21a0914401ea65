package processor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Commit stores p as the place to go on from: everything before it has been
// processed. When it returns nil, p is durable and will be seen by the next owner.
// Commits of one shard are made one after the other.
//
// It returns ErrLeaseLost if the lease is over, and an error that matches
// ErrNotOwner if the store says that another member has the shard; in both cases
// nothing was stored and the context is cancelled with that cause. It returns the
// error of the Before hook if that vetoed, ErrEmptyPosition, ErrReturned, or what
// the store said: then it is open whether p was stored, and a later commit settles
// it. A commit ends by itself after the commit timeout, or when the lease is over as it
// stood when the commit began; with a ctx that has ended it does not reach the store.
// It must not be called from a commit hook, which would wait for itself.
func (s *Shard) Commit(ctx context.Context, p Position) error {
	if p == "" {
		return fmt.Errorf("commit of shard %s: %w", s.run.id, ErrEmptyPosition)
	}
	select {
	case s.run.slot <- struct{}{}: // even if ctx has ended: the reason may be a better one
	default:
		select {
		case s.run.slot <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("commit of shard %s: %w", s.run.id, context.Cause(ctx))
		}
	}
	defer func() { <-s.run.slot }()
	if s.closed.Load() {
		return fmt.Errorf("commit of shard %s: %w", s.run.id, ErrReturned)
	}
	defer s.run.begin(ctx, "Commit").End() // its hooks may hang
	c := Commit{Member: s.run.runner.cfg.Member, Lease: s.Lease(), Position: p}
	err := s.commit(ctx, &c)
	if err != nil {
		err = fmt.Errorf("commit of shard %s at %q: %w", s.run.id, p, err)
	}
	s.run.committed(c, err)
	if after := s.run.runner.cfg.Hooks.After; after != nil {
		after(c, err)
	}
	return err
}

func (s *Shard) commit(ctx context.Context, c *Commit) error {
	r := s.run
	if err := r.mayCommit(ctx, time.Now()); err != nil {
		return err
	}
	if before := r.runner.cfg.Hooks.Before; before != nil {
		if err := before(ctx, *c); err != nil {
			return err
		}
	}
	r.look(ctx, time.Now())
	// Both may have taken their time, or the process may have been frozen in them.
	start := time.Now()
	if err := r.mayCommit(ctx, start); err != nil {
		return err
	}
	ctx, cancel := r.storeContext(ctx, start)
	defer cancel()
	if err := r.saving(cancel); err != nil {
		return err
	}
	defer r.saving(nil)
	err := r.runner.cfg.Checkpoints.Save(ctx, r.owner(), c.Position)
	c.Took = time.Since(start)
	r.written.saved(c.Position, err)
	if errors.Is(err, ErrNotOwner) {
		r.Cancel(ErrNotOwner)
	}
	return err
}

// mayCommit returns nil if a commit with ctx may go on to the store.
func (r *Run) mayCommit(ctx context.Context, now time.Time) error {
	if err := r.check(now); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// storeContext bounds a call to the store: it must not outlive the lease, because a
// store that cannot fence would take it after the shard has a new owner.
func (r *Run) storeContext(ctx context.Context, now time.Time) (context.Context, context.CancelFunc) {
	end := now.Add(r.runner.cfg.CommitTimeout)
	if notAfter := r.term.NotAfter(); notAfter.Before(end) {
		end = notAfter
	}
	return context.WithDeadline(ctx, end)
}
