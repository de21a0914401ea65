package runner

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// activity is a call that a processor, or the run itself, waits for: see processor.Shard.Begin.
type activity struct {
	run        *Run
	ctx        context.Context
	what       string
	lastSign   time.Time // of the last sign; guarded by run.mu
	progressed atomic.Bool
}

// begin adds a call to those under way.
func (r *Run) begin(ctx context.Context, what string) *activity {
	a := &activity{run: r, ctx: ctx, what: what, lastSign: time.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.calls = append(r.watch.calls, a)
	return a
}

// forgetCalls ends the watch over an attempt. Its Shard has settled.
func (r *Run) forgetCalls() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch = watch{}
}

// Progress implements processor.Activity.
func (a *activity) Progress() {
	if !a.progressed.Load() {
		a.progressed.Store(true)
	}
}

// End implements processor.Activity.
func (a *activity) End() {
	r := a.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.watch.calls, a); i >= 0 {
		r.watch.calls = slices.Delete(r.watch.calls, i, i+1)
		r.watch.lastSign = time.Now()
	}
}

// watch has the signs of progress of one attempt.
type watch struct {
	calls    []*activity // under way
	working  bool        // Process was called, and has not returned
	tracked  bool        // Process has called Begin
	caughtUp bool        // Process has reported that it is idle
	lastSign time.Time   // the last sign of Process: its start, Check, Commit or a report
}

// stall reports whether there was no sign of progress for as long as bound, and since when.
// call is the one without a sign, or nil if it is Process itself.
func (w *watch) stall(now time.Time, bound time.Duration) (since time.Time, call *activity, stalled bool) {
	for _, a := range w.calls {
		if call == nil || a.lastSign.Before(call.lastSign) {
			call = a
		}
	}
	if call != nil && now.Sub(call.lastSign) >= bound {
		return call.lastSign, call, true
	}
	if w.working && !w.tracked && !w.caughtUp && len(w.calls) == 0 && now.Sub(w.lastSign) >= bound {
		return w.lastSign, nil, true
	}
	return time.Time{}, nil, false
}

// Stall returns since when the processor has given no sign of progress, if that is as long as
// bound. The error matches processor.ErrNoProgress and names the call that does not return.
// After its context is cancelled a run does not stall: the coordinator then watches for its
// return.
func (r *Run) Stall(now time.Time, bound time.Duration) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return time.Time{}, nil
	}
	for _, a := range r.watch.calls {
		if a.progressed.Swap(false) {
			a.lastSign = now
		}
	}
	since, call, stalled := r.watch.stall(now, bound)
	switch {
	case !stalled:
		return time.Time{}, nil
	case call == nil:
		return since, fmt.Errorf("%w: Process called none of Commit, Check and ReportProgress; one that is idle says so with ReportProgress and Progress.CaughtUp", processor.ErrNoProgress)
	case call.ctx.Err() != nil:
		return since, fmt.Errorf("%w: %s does not return, although its context has ended", processor.ErrNoProgress, call.what)
	}
	return since, fmt.Errorf("%w: %s does not return", processor.ErrNoProgress, call.what)
}
