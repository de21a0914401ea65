package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// attempt is one call of Process by a run. It implements processor.Host for the Shard.
type attempt struct {
	*Run
	resume processor.Position
	found  bool
}

var _ processor.Host = (*attempt)(nil)

// Lease implements processor.Host.
func (a *attempt) Lease() shardset.Lease { return a.lease() }

// Resume implements processor.Host.
func (a *attempt) Resume() (processor.Position, bool) { return a.resume, a.found }

// Context implements processor.Host.
func (a *attempt) Context() context.Context { return a.revoked }

// Check implements processor.Host.
func (a *attempt) Check() error { return a.check(time.Now()) }

// ListCheckpoints implements processor.Host.
func (a *attempt) ListCheckpoints(ctx context.Context) ([]processor.Checkpoint, error) {
	lister, ok := a.runner.cfg.Checkpoints.(processor.Lister)
	if !ok {
		return nil, fmt.Errorf("list the checkpoints of %q: %w", a.id.Log, errors.ErrUnsupported)
	}
	ctx, cancel := a.storeContext(ctx, time.Now())
	defer cancel()
	return lister.ListCheckpoints(ctx, a.id.Log)
}

// Begin implements processor.Host.
func (a *attempt) Begin(ctx context.Context, what string) processor.Activity {
	a.mu.Lock()
	a.watch.tracked = true
	a.mu.Unlock()
	return a.begin(ctx, what)
}

// ReportProgress implements processor.Host.
func (a *attempt) ReportProgress(p processor.Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.Progress = p
	a.watch.lastSign, a.watch.caughtUp = time.Now(), p.CaughtUp
}

// ReportPoison implements processor.Host.
func (a *attempt) ReportPoison(p processor.Poison) {
	a.count(func(st *Status) { st.Poison++ })
	a.report(event.Event{Kind: event.PoisonGivenUp, Poison: p})
}

// ReportGap implements processor.Host.
func (a *attempt) ReportGap(g processor.Gap) {
	a.count(func(st *Status) { st.Gaps++ })
	a.report(event.Event{Kind: event.GapSkipped, Gap: g})
}

// count changes the status with f, and notes a sign of progress.
func (a *attempt) count(f func(st *Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.status)
	a.watch.lastSign = time.Now()
}

// Logger implements processor.Host.
func (a *attempt) Logger() *zap.Logger {
	return a.runner.cfg.Logger.With(zap.Stringer("shard", a.id), zap.Uint64("epoch", a.epoch))
}
