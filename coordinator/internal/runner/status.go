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
	PhaseStarting   Phase = iota + 1 // it reads the checkpoint and makes the processor
	PhaseRunning                     // it has called Process
	PhaseRestarting                  // it pauses after an error
	PhaseHalted                      // an error was marked with processor.Halt; it waits for Revoke or Cancel
	PhaseReturned                    // Do has returned or is about to
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
	Since       time.Time          // when the phase began
	Restarts    int                // the number of attempts after the first
	LastError   error              // of an attempt or a commit; nil if none has failed
	Position    processor.Position // the last one committed, or the one it started from
	CommittedAt time.Time          // zero: nothing was committed in this run
	Progress    processor.Progress // what Process last reported, with the current Lag
	Poison      int                // the number of calls of processor.Shard.ReportPoison
	Gaps        int                // the number of calls of processor.Shard.ReportGap
}

// Status returns a snapshot.
func (r *Run) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.status
	st.Progress = progressAt(st.Progress, time.Now())
	return st
}

// progressAt returns p with its Lag at now: see processor.Progress.LagSince.
func progressAt(p processor.Progress, now time.Time) processor.Progress {
	if !p.LagSince.IsZero() && p.Lag >= 0 {
		p.Lag += max(0, now.Sub(p.LagSince))
	}
	return p
}

// processTime returns the time since Process was called, or zero if the attempt did not call it.
// Call processTime after an attempt, before pause.
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

// started updates the status and reports that Process is about to be called.
func (a *attempt) started() {
	r := a.Run
	r.mu.Lock()
	r.status.Phase, r.status.Since, r.status.Position = PhaseRunning, time.Now(), a.resume
	r.status.Progress = processor.Progress{} // its counts begin at the call of Process
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

// halted updates the status and reports that err is marked with processor.Halt.
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

// report passes e to Config.Report, with the current lease.
func (r *Run) report(e event.Event) {
	if report := r.runner.cfg.Report; report != nil {
		e.Lease = r.lease()
		report(e)
	}
}
