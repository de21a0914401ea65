package runner

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// activity is a call of user code that may hang: see processor.Shard.Begin. A run also begins
// activities for its own calls.
type activity struct {
	run        *Run
	ctx        context.Context
	what       string
	lastSign   time.Time   // when Stall last saw a sign of progress; guarded by run.mu
	progressed atomic.Bool // Progress was called since then
}

// begin starts to watch a call. The caller must call End after the call.
func (r *Run) begin(ctx context.Context, what string) *activity {
	a := &activity{run: r, ctx: ctx, what: what, lastSign: time.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.calls = append(r.watch.calls, a)
	return a
}

// forgetCalls ends the watch over an attempt. It must follow settle: no call begins after settle.
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

// watch records the signs of progress of one attempt.
type watch struct {
	calls    []*activity // in flight
	working  bool        // Process was called, and has not returned
	tracked  bool        // Process has called Begin: only a call in flight can now stall
	caughtUp bool        // Process has reported that it is idle
	lastSign time.Time   // of Process: its start, Check, Commit, a report, or the end of a call
}

// stall reports whether the attempt has given no sign of progress for bound or longer. since is
// the time of the last sign. call is the call that hangs, or nil if Process itself hangs.
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

// Stall returns an error if the processor has given no sign of progress for bound or longer, and
// the time of its last sign. The error matches processor.ErrNoProgress and names the call that
// hangs. After Cancel, Stall returns nil: from then on the coordinator waits for the return of
// Process.
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
		return since, fmt.Errorf("%w: Process called none of Commit, Check and ReportProgress; if it waits for data, it must report a Progress with CaughtUp", processor.ErrNoProgress)
	case call.ctx.Err() != nil:
		return since, fmt.Errorf("%w: %s does not return, although its context has ended", processor.ErrNoProgress, call.what)
	}
	return since, fmt.Errorf("%w: %s does not return", processor.ErrNoProgress, call.what)
}
