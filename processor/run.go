package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/rollcall-go/rollcall/shardset"
)

// Run is one shard being processed under one grant. Do is its goroutine's body.
type Run struct {
	runner   *Runner
	id       shardset.ID
	epoch    uint64
	instance uint64
	term     *Term

	ctx    context.Context // ends when the shard must not be touched
	cancel context.CancelCauseFunc
	soft   context.Context // ends when the shard has to go; a child of ctx
	revoke context.CancelCauseFunc
	slot   chan struct{} // held by the commit in flight

	mu     sync.Mutex // guards status; never held across a call
	status RunStatus
}

// Phase is what a Run is doing.
type Phase uint8

const (
	PhaseStarting   Phase = iota + 1 // reading the checkpoint, making the processor
	PhaseRunning                     // in Process
	PhaseRestarting                  // pausing after an error
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
	case PhaseReturned:
		return "returned"
	}
	return fmt.Sprintf("Phase(%d)", uint8(p))
}

// RunStatus is a snapshot of a Run.
type RunStatus struct {
	Phase       Phase
	Since       time.Time // of the phase
	Restarts    int       // attempts after the first
	LastError   error     // of an attempt or a commit; nil if none failed yet
	Position    Position  // where it resumed, or the last one committed
	CommittedAt time.Time // zero: nothing was committed in this run
}

// New returns a Run for the lease. ctx gives its values to the contexts of user
// code, not its end: only Revoke and Cancel stop a run. The term is the lease that
// the run shares with the member's others.
func (rn *Runner) New(ctx context.Context, l shardset.Lease, instance uint64, term *Term) *Run {
	r := &Run{
		runner: rn, id: l.ID, epoch: l.Epoch, instance: instance, term: term,
		slot:   make(chan struct{}, 1),
		status: RunStatus{Phase: PhaseStarting, Since: time.Now()},
	}
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	r.soft, r.revoke = context.WithCancelCause(r.ctx)
	return r
}

// Revoke asks the run to finish, with ErrRevoked or ErrShutdown as the cause. The
// first cause stays.
func (r *Run) Revoke(cause error) { r.revoke(cause) }

// Cancel ends the run's context. The first cause stays.
func (r *Run) Cancel(cause error) { r.cancel(cause) }

// Epoch returns the epoch of the grant.
func (r *Run) Epoch() uint64 { return r.epoch }

// Status returns a snapshot. It may be called from any goroutine.
func (r *Run) Status() RunStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Do runs the shard until it is released, done, or lost, restarting its processor
// after errors. Then, with the last commit decided, it calls done, once, as the
// last thing on this goroutine. It does so even if user code ends the goroutine.
func (r *Run) Do(done func(shardset.Outcome)) {
	outcome := shardset.OutcomeFailed
	defer func() {
		r.phase(PhaseReturned)
		r.cancel(nil) // frees the contexts; a cause set earlier stays
		done(outcome)
	}()
	var pauses *backoff.ExponentialBackOff
	for {
		start := time.Now()
		err := r.attempt()
		var final bool
		if outcome, final = r.outcome(err); final {
			return
		}
		if pauses == nil || time.Since(start) > r.runner.Restart.Max {
			pauses = r.runner.Restart.policy()
		}
		if pause := pauses.NextBackOff(); !r.pause(err, pause) {
			outcome, _ = r.outcome(nil)
			return
		}
	}
}

// outcome says what the end of an attempt means, and whether it ends the run.
func (r *Run) outcome(err error) (shardset.Outcome, bool) {
	cause := context.Cause(r.soft)
	if err != nil && cause != nil && !isStop(err, cause) {
		r.failed(err, 0)
	}
	switch {
	case errors.Is(err, ErrNotOwner), errors.Is(cause, ErrNotOwner):
		return shardset.OutcomeFenced, true
	case errors.Is(err, ErrShardEnded) && !errors.Is(cause, ErrLeaseLost):
		return shardset.OutcomeEnded, true
	case cause != nil:
		return shardset.OutcomeReleased, true
	case err == nil:
		return shardset.OutcomeDone, true
	}
	return shardset.OutcomeFailed, false
}

// isStop reports whether err is only the echo of being stopped.
func isStop(err, cause error) bool {
	return errors.Is(err, cause) || errors.Is(err, context.Canceled) || errors.Is(err, ErrShardEnded)
}

// attempt reads the checkpoint, makes a processor and lets it work, once.
func (r *Run) attempt() error {
	s := &Shard{run: r}
	exited := false
	defer func() {
		if exited {
			r.failed(ErrGoexit, 0)
		}
		s.settle()
	}()
	r.phase(PhaseStarting)
	err := contain("Checkpoints.Load", &exited, func() (err error) {
		ctx, cancel := r.storeContext(r.soft, time.Now())
		defer cancel()
		s.resume, s.found, err = r.runner.Checkpoints.Load(ctx, r.owner())
		return err
	})
	if err != nil {
		return fmt.Errorf("read the checkpoint of shard %s: %w", r.id, err)
	}
	var p Processor
	err = contain("Factory", &exited, func() (err error) {
		p, err = r.runner.Factory(r.soft, r.lease())
		return err
	})
	if err == nil && p == nil {
		err = ErrNoProcessor
	}
	if err != nil {
		return fmt.Errorf("make the processor of shard %s: %w", r.id, err)
	}
	// Nothing is started under a lease that ended, or for a shard that has to go.
	if err := r.check(time.Now()); err != nil {
		return err
	}
	if cause := context.Cause(r.soft); cause != nil {
		return cause
	}
	r.running(s)
	return contain("Process", &exited, func() error { return p.Process(r.ctx, s) })
}

// settle waits for a commit in flight and refuses later ones, so that the shard's
// last commit is decided before anybody hears that it is free.
func (s *Shard) settle() {
	s.run.slot <- struct{}{}
	s.closed = true
	<-s.run.slot
}

// pause waits between two attempts, and reports whether there is another one.
func (r *Run) pause(err error, d time.Duration) bool {
	r.failed(err, d)
	r.mu.Lock()
	r.status.Restarts++
	r.mu.Unlock()
	r.phase(PhaseRestarting)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.soft.Done():
		return false
	}
}

// check returns nil while the shard is this member's at now.
func (r *Run) check(now time.Time) error {
	if _, ok := r.term.look(now); !ok {
		r.cancel(ErrLeaseLost)
	}
	// A context that was cancelled because the drain took too long says nothing
	// about ownership: the shard is reported as held until the goroutine returns.
	switch cause := context.Cause(r.ctx); {
	case errors.Is(cause, ErrLeaseLost), errors.Is(cause, ErrNotOwner):
		return cause
	}
	if !r.term.Valid(now) {
		return ErrLeaseLost // cancelled for another reason before
	}
	return nil
}

// fence ends the run because the store says that it is not the owner.
func (r *Run) fence() { r.cancel(ErrNotOwner) }

func (r *Run) lease() shardset.Lease {
	return shardset.Lease{ID: r.id, Epoch: r.epoch, NotAfter: r.term.NotAfter()}
}

func (r *Run) owner() Owner {
	return Owner{Member: r.runner.Member, Instance: r.instance, Lease: r.lease(), Epochs: r.runner.Epochs}
}

func (r *Run) phase(p Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Phase, r.status.Since = p, time.Now()
}

func (r *Run) running(s *Shard) {
	r.mu.Lock()
	r.status.Phase, r.status.Since, r.status.Position = PhaseRunning, time.Now(), s.resume
	r.mu.Unlock()
	if started := r.runner.Observer.Started; started != nil {
		started(r.lease(), s.resume, s.found)
	}
}

func (r *Run) failed(err error, pause time.Duration) {
	r.mu.Lock()
	r.status.LastError = err
	r.mu.Unlock()
	if failed := r.runner.Observer.Failed; failed != nil {
		failed(r.lease(), err, pause)
	}
}

func (r *Run) committed(c Commit, err error) {
	r.mu.Lock()
	if err == nil {
		r.status.Position, r.status.CommittedAt = c.Position, time.Now()
	} else {
		r.status.LastError = err
	}
	r.mu.Unlock()
	if committed := r.runner.Observer.Committed; committed != nil {
		committed(c, err)
	}
}

// policy returns a fresh schedule without an end.
func (b Backoff) policy() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.Min),
		backoff.WithMaxInterval(b.Max),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
}
