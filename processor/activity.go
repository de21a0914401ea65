package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// ErrNoProgress: a processor has given no sign of progress for
// coordinator.Config.NoProgressAfter. The worker reports it, and stops nothing.
var ErrNoProgress = errors.New("no progress")

// Activity is a call under way that a processor waits for: see Shard.Begin.
type Activity struct {
	run    *Run
	ctx    context.Context
	what   string
	since  time.Time // of the last sign; guarded by run.mu
	signed atomic.Bool
}

// Begin notes that a call begins which may hang: "the handler", "Reader.Read". If it gives
// no sign for coordinator.Config.NoProgressAfter, the processor is named as stuck. ctx is the
// context of the call: the text says if it has ended. End follows when the call returns.
//
// A processor that has called Begin is judged by its activities alone: with none under way
// it is idle, for however long. Package batch does this for the code that it calls.
func (s *Shard) Begin(ctx context.Context, what string) *Activity {
	a := s.run.activity(ctx, what)
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if !s.closed.Load() {
		s.run.watch.tracked = true
		s.run.watch.calls = append(s.run.watch.calls, a)
	}
	return a
}

// begin is Begin for what a run calls itself.
func (r *Run) begin(ctx context.Context, what string) *Activity {
	a := r.activity(ctx, what)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.calls = append(r.watch.calls, a)
	return a
}

func (r *Run) activity(ctx context.Context, what string) *Activity {
	return &Activity{run: r, ctx: ctx, what: what, since: time.Now()}
}

// Progress is a sign: something of the call is done. It costs next to nothing.
func (a *Activity) Progress() {
	if !a.signed.Load() {
		a.signed.Store(true)
	}
}

// End notes that the call has returned. Further calls do nothing.
func (a *Activity) End() {
	r := a.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.watch.calls, a); i >= 0 {
		r.watch.calls = slices.Delete(r.watch.calls, i, i+1)
		r.watch.sign = time.Now()
	}
}

// watch is what a run knows about the progress of its processor.
type watch struct {
	calls    []*Activity // under way
	working  bool        // Process was called, and has not returned
	tracked  bool        // it says with Begin what it waits for
	caughtUp bool        // it says that it is idle
	sign     time.Time   // the last one of Process: its start, Check, Commit, ReportProgress and the like
}

// stall decides whether there was no sign at now for the bound, and since when. The call is
// the one without a sign, or nil if it is Process itself.
func (w *watch) stall(now time.Time, bound time.Duration) (since time.Time, call *Activity, stalled bool) {
	for _, a := range w.calls {
		if call == nil || a.since.Before(call.since) {
			call = a
		}
	}
	if call != nil && now.Sub(call.since) >= bound {
		return call.since, call, true
	}
	if w.working && !w.tracked && !w.caughtUp && len(w.calls) == 0 && now.Sub(w.sign) >= bound {
		return w.sign, nil, true
	}
	return time.Time{}, nil, false
}

// Stall returns since when the processor has given no sign of progress, if that is as long as
// bound, and an error that matches ErrNoProgress and says what is waited for. A run whose
// context was cancelled has no stall: whether it is stuck is judged by that.
func (r *Run) Stall(now time.Time, bound time.Duration) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return time.Time{}, nil
	}
	for _, a := range r.watch.calls {
		if a.signed.Swap(false) {
			a.since = now
		}
	}
	since, call, stalled := r.watch.stall(now, bound)
	switch {
	case !stalled:
		return time.Time{}, nil
	case call == nil:
		return since, fmt.Errorf("%w: Process called none of Commit, Check and ReportProgress; one that is idle says so with ReportProgress and Progress.CaughtUp", ErrNoProgress)
	case call.ctx.Err() != nil:
		return since, fmt.Errorf("%w: %s does not return, although its context has ended", ErrNoProgress, call.what)
	}
	return since, fmt.Errorf("%w: %s does not return", ErrNoProgress, call.what)
}
