package runner

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
)

// Phase is what a Run is doing.
type Phase uint8

const (
	PhaseStarting   Phase = iota + 1 // reading the checkpoint, making the processor
	PhaseRunning                     // in Process
	PhaseRestarting                  // pausing after an error
	PhaseHalted                      // stopped by its processor, and still held: see processor.Halt
	PhaseReturned                    // over
)

func (p Phase) String() string {
	switch p {
	case PhaseStarting:
		return "starting"
	case PhaseRunning:
		return "running"
	case PhaseRestarting:
		return "restarting"
	case PhaseHalted:
		return "halted"
	case PhaseReturned:
		return "returned"
	}
	return fmt.Sprintf("Phase(%d)", uint8(p))
}

// Status is a snapshot of a Run.
type Status struct {
	Phase       Phase
	Since       time.Time          // of the phase
	Restarts    int                // attempts after the first
	LastError   error              // of an attempt or a commit; nil if none failed yet
	Position    processor.Position // where it resumed, or the last one committed
	CommittedAt time.Time          // zero: nothing was committed in this run
	Progress    processor.Progress // what Process last reported; its Lag is of now
	Poison      int                // how often something was given up: see processor.Shard.ReportPoison
	Gaps        int                // how often something was gone: see processor.Shard.ReportGap
}

// Status returns a snapshot. It may be called from any goroutine.
func (r *Run) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.status
	st.Progress = progressAt(st.Progress, time.Now())
	return st
}

// progressAt returns p as it is now.
func progressAt(p processor.Progress, now time.Time) processor.Progress {
	if !p.LagSince.IsZero() && p.Lag >= 0 {
		p.Lag += max(0, now.Sub(p.LagSince))
	}
	return p
}

// processTime returns how long ago Process was called; zero if it was not.
func (r *Run) processTime() time.Duration {
	st := r.Status()
	if st.Phase != PhaseRunning {
		return 0
	}
	return time.Since(st.Since)
}

func (r *Run) setPhase(p Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Phase, r.status.Since = p, time.Now()
}

// started notes that Process is about to be called.
func (a *attempt) started() {
	r := a.Run
	r.mu.Lock()
	r.status.Phase, r.status.Since, r.status.Position = PhaseRunning, time.Now(), a.resume
	r.status.Progress = processor.Progress{} // it counts from the call of Process
	r.watch = watch{working: true, lastSign: r.status.Since}
	r.mu.Unlock()
	r.report(event.Event{Kind: event.Started, Resume: a.resume, Found: a.found})
}

func (r *Run) failed(err error, pause time.Duration) {
	r.mu.Lock()
	r.status.LastError = err
	r.mu.Unlock()
	r.report(event.Event{Kind: event.Failed, Err: err, Retry: pause})
}

// halted notes that user code stopped its shard for good.
func (r *Run) halted(err error) {
	r.mu.Lock()
	r.status.LastError = err
	r.status.Phase, r.status.Since = PhaseHalted, time.Now()
	r.mu.Unlock()
	r.report(event.Event{Kind: event.Halted, Err: err})
}

func (r *Run) committed(c processor.Commit, err error) {
	kind := event.Committed
	r.mu.Lock()
	if err == nil {
		r.status.Position, r.status.CommittedAt = c.Position, time.Now()
	} else {
		kind = event.CommitFailed
		r.status.LastError = err
	}
	r.mu.Unlock()
	r.report(event.Event{Kind: kind, Commit: c, Err: err})
}

// report passes an event on, with the lease as it stands.
func (r *Run) report(e event.Event) {
	if report := r.runner.cfg.Report; report != nil {
		e.Lease = r.lease()
		report(e)
	}
}
