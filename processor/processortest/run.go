package processortest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
	"github.com/rollcall-go/rollcall/shardset"
)

// Run reads the checkpoint, makes a Processor with f, and calls its Process once, on the
// caller's goroutine. It returns the result of Process. The result of a panic is a
// *processor.PanicError. If Run cannot call Process, it returns the reason: the error of the
// store, the error of f, or the cause if the shard was revoked or lost.
func (s *Shard) Run(f processor.Factory) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	a := &attempt{shard: s}
	handle, settle := processor.NewShard(a)
	defer a.Check() // as a worker does: the lease may have expired during Process
	defer cancel(processor.ErrReturned)
	defer settle()
	p, err := a.start(f)
	if err != nil {
		return err
	}
	s.update(func(st *Status) { st.Progress = processor.Progress{} })
	return contain.Call("Process", func() error { return p.Process(ctx, handle) })
}

// attempt is one call of Process, and the host of its Shard.
type attempt struct {
	shard  *Shard
	resume processor.Position
	found  bool
}

var _ processor.Host = (*attempt)(nil)

// start reads the checkpoint and makes the Processor.
func (a *attempt) start(f processor.Factory) (p processor.Processor, err error) {
	s := a.shard
	if err := a.mayStart(); err != nil {
		return nil, err
	}
	err = contain.Call("Checkpoints.Load", a.load)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of shard %s: %w", s.cfg.Lease.ID, err)
	}
	if err := a.mayStart(); err != nil {
		return nil, err
	}
	err = contain.Call("Factory", func() (err error) {
		p, err = f(s.revoked, s.cfg.Lease)
		return err
	})
	if err == nil && p == nil {
		err = errors.New("factory returned no processor")
	}
	if err != nil {
		return nil, fmt.Errorf("make the processor of shard %s: %w", s.cfg.Lease.ID, err)
	}
	return p, a.mayStart()
}

// load reads the checkpoint. The first load stores Config.Resume as the checkpoint.
func (a *attempt) load() (err error) {
	s := a.shard
	ctx, cancel := s.storeContext(s.revoked, time.Now())
	defer cancel()
	a.resume, a.found, err = s.cfg.Checkpoints.Load(ctx, s.owner())
	if err != nil || s.cfg.Resume == "" {
		return err
	}
	a.resume, a.found, s.cfg.Resume = s.cfg.Resume, true, ""
	return s.cfg.Checkpoints.Save(ctx, s.owner(), a.resume)
}

// mayStart returns an error if the shard was revoked or lost.
func (a *attempt) mayStart() error {
	if err := a.Check(); err != nil {
		return err
	}
	return context.Cause(a.shard.revoked)
}

// Lease implements processor.Host.
func (a *attempt) Lease() shardset.Lease { return a.shard.cfg.Lease }

// Resume implements processor.Host.
func (a *attempt) Resume() (processor.Position, bool) { return a.resume, a.found }

// Context implements processor.Host.
func (a *attempt) Context() context.Context { return a.shard.revoked }

// Check implements processor.Host.
func (a *attempt) Check() error {
	s := a.shard
	if !s.valid(time.Now()) {
		s.Cancel(processor.ErrLeaseLost)
	}
	return context.Cause(s.owned)
}

// Commit implements processor.Host.
func (a *attempt) Commit(ctx context.Context, p processor.Position) error {
	err := a.commit(ctx, p)
	if err != nil {
		return fmt.Errorf("commit of shard %s at %q: %w", a.shard.cfg.Lease.ID, p, err)
	}
	a.shard.update(func(st *Status) { st.Commits = append(st.Commits, p) })
	return nil
}

func (a *attempt) commit(ctx context.Context, p processor.Position) error {
	s := a.shard
	if err := a.Check(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := s.storeContext(ctx, time.Now())
	defer cancel()
	defer context.AfterFunc(s.owned, cancel)()
	err := s.cfg.Checkpoints.Save(ctx, s.owner(), p)
	if errors.Is(err, processor.ErrNotOwner) {
		s.Cancel(processor.ErrNotOwner)
	}
	return err
}

// storeContext bounds a call to the store by the commit timeout and the lease.
func (s *Shard) storeContext(ctx context.Context, now time.Time) (context.Context, context.CancelFunc) {
	end := now.Add(commitTimeout)
	if notAfter := s.cfg.Lease.NotAfter; notAfter.Before(end) {
		end = notAfter
	}
	return context.WithDeadline(ctx, end)
}

// ListCheckpoints implements processor.Host.
func (a *attempt) ListCheckpoints(ctx context.Context) ([]processor.Checkpoint, error) {
	log := a.shard.cfg.Lease.ID.Log
	lister, ok := a.shard.cfg.Checkpoints.(processor.Lister)
	if !ok {
		return nil, fmt.Errorf("list the checkpoints of %q: %w", log, errors.ErrUnsupported)
	}
	ctx, cancel := a.shard.storeContext(ctx, time.Now())
	defer cancel()
	return lister.ListCheckpoints(ctx, log)
}

// Begin implements processor.Host.
func (a *attempt) Begin(context.Context, string) processor.Activity { return activity{} }

// ReportProgress implements processor.Host.
func (a *attempt) ReportProgress(p processor.Progress) {
	a.shard.update(func(st *Status) { st.Progress = p })
}

// ReportPoison implements processor.Host.
func (a *attempt) ReportPoison(p processor.Poison) {
	a.shard.update(func(st *Status) { st.Poison = append(st.Poison, p) })
}

// ReportGap implements processor.Host.
func (a *attempt) ReportGap(g processor.Gap) {
	a.shard.update(func(st *Status) { st.Gaps = append(st.Gaps, g) })
}

// Logger implements processor.Host.
func (a *attempt) Logger() *zap.Logger {
	l := a.shard.cfg.Lease
	return a.shard.cfg.Logger.With(zap.Stringer("shard", l.ID), zap.Uint64("epoch", l.Epoch))
}

// activity is an Activity that nothing watches: a test times out if a call hangs.
type activity struct{}

func (activity) Progress() {}
func (activity) End()      {}
