package runner

import (
	"context"
	"errors"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Run processes one shard under one grant. One goroutine calls Do, once. All other methods are
// safe for concurrent use.
type Run struct {
	runner   *Runner
	id       shardset.ID
	epoch    uint64
	instance uint64
	member   *MemberLease

	ctx     context.Context // ends when all work on the shard must stop
	cancel  context.CancelCauseFunc
	revoked context.Context // ends when Process must return, and not later than ctx
	revoke  context.CancelCauseFunc

	written written

	mu     sync.Mutex // guards the fields below; never held during a call of user code
	status Status
	watch  watch
	// lost is ErrLeaseLost or ErrNotOwner if the member no longer owns the shard, else nil.
	// The cause of the contexts does not show this, because they keep an earlier ErrRevoked.
	lost       error
	fatal      error              // of an attempt, marked with processor.Fatal
	cancelSave context.CancelFunc // ends the store call of a commit; nil if none is in flight
}

// New returns a Run for a grant. User code gets contexts with the values of ctx, but they do not
// end with ctx: only Revoke and Cancel stop a run. member is the lease of all runs of the member.
func (rn *Runner) New(ctx context.Context, l shardset.Lease, instance uint64, member *MemberLease) *Run {
	r := &Run{
		runner: rn, id: l.ID, epoch: l.Epoch, instance: instance, member: member,
		status: Status{Phase: PhaseStarting, Since: time.Now()},
	}
	// The labels are in the context too, so that a pprof.Do of user code keeps them.
	base := pprof.WithLabels(context.WithoutCancel(ctx), pprof.Labels(rn.labels(l)...))
	r.ctx, r.cancel = context.WithCancelCause(base)
	r.revoked, r.revoke = context.WithCancelCause(base)
	return r
}

// Revoke asks the processor to finish. cause is ErrRevoked or ErrShutdown. A later cause does
// not replace the first one.
func (r *Run) Revoke(cause error) { r.revoke(cause) }

// Cancel cancels the context of user code. A later cause does not replace the first one. After
// ErrLeaseLost or ErrNotOwner the run refuses to commit, even if an earlier cause allowed it.
func (r *Run) Cancel(cause error) {
	if errors.Is(cause, processor.ErrLeaseLost) || errors.Is(cause, processor.ErrNotOwner) {
		r.lose(cause)
	}
	r.revoke(cause) // before ctx ends: Process must then see the channel of Revoked closed
	r.cancel(cause)
}

// Cancelled reports whether the run's context has ended.
func (r *Run) Cancelled() bool { return r.ctx.Err() != nil }

// Epoch returns the epoch of the grant.
func (r *Run) Epoch() uint64 { return r.epoch }

// Do processes the shard until it is released, complete or lost, and restarts the processor
// after errors. It calls done exactly once, after the last commit has ended. It calls done even
// if user code ends the goroutine with runtime.Goexit.
func (r *Run) Do(done func(shardset.Outcome)) {
	outcome := shardset.OutcomeFailed
	pprof.SetGoroutineLabels(r.ctx)
	defer func() {
		r.setPhase(PhaseReturned)
		r.revoke(processor.ErrReturned) // does not replace an earlier cause
		r.cancel(processor.ErrReturned)
		done(outcome)
	}()
	var pauses func() time.Duration
	for {
		err := r.try()
		var final bool
		if outcome, final = r.outcome(err); final {
			return
		}
		if processor.IsHalt(err) {
			r.halted(err)
			<-r.revoked.Done()
			outcome, _ = r.outcome(nil)
			return
		}
		if pauses == nil || r.processTime() > r.runner.cfg.Restart.Max {
			pauses = r.runner.cfg.Restart.Schedule()
		}
		if !r.pause(err, pauses()) {
			outcome, _ = r.outcome(nil)
			return
		}
	}
}

// outcome returns the outcome of an attempt that ended with err, and whether the run ends with
// it. It checks the lease first: this may be the first code to run after a freeze.
func (r *Run) outcome(err error) (outcome shardset.Outcome, final bool) {
	lost, cause := r.check(time.Now()), context.Cause(r.revoked)
	var p *processor.PanicError
	panicked := errors.As(err, &p)
	is := func(target error) bool { return !panicked && errors.Is(err, target) } // panic(err) does not return err
	closed := is(processor.ErrShardClosed) && !processor.IsHalt(err)             // a halted shard is not complete
	switch {
	case errors.Is(lost, processor.ErrNotOwner), is(processor.ErrNotOwner):
		outcome = shardset.OutcomeFenced
	case r.isFatal(err):
		outcome = shardset.OutcomeFailed
	case closed && lost == nil:
		outcome = shardset.OutcomeClosed
	case lost != nil, errors.Is(cause, processor.ErrLeaseLost): // Cancel may have come after check
		outcome = shardset.OutcomeLost
	case cause != nil:
		outcome = shardset.OutcomeReleased
	case err == nil:
		outcome = shardset.OutcomeComplete
	default:
		return shardset.OutcomeFailed, false
	}
	expected := is(cause) || is(lost) || is(context.Canceled) || closed
	if err != nil && !expected {
		r.failed(err, 0)
	}
	return outcome, true
}

// isFatal reports whether err is marked with processor.Fatal. If so, it stores err for Fatal.
func (r *Run) isFatal(err error) bool {
	if !processor.IsFatal(err) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fatal = err
	return true
}

// Fatal returns the error that ended the run and is marked with processor.Fatal, or nil. It does
// not change after Do has called done.
func (r *Run) Fatal() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fatal
}

// check returns nil if the member owns the shard at now, else ErrLeaseLost or ErrNotOwner. The
// member still owns the shard after the drain timeout: it reports the shard as held until the
// goroutine returns.
func (r *Run) check(now time.Time) error {
	if !r.member.Valid(now) {
		r.Cancel(processor.ErrLeaseLost)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.lastSign = now
	return r.lost
}

// lose makes check return cause from now on, and ends the store call of a commit in flight.
func (r *Run) lose(cause error) {
	r.mu.Lock()
	if r.lost == nil {
		r.lost = cause
	}
	cancel := r.cancelSave
	r.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// setCancelSave sets cancel, which lose calls to end the next store call of a commit. It returns
// an error if the member no longer owns the shard: then the call must not begin.
func (r *Run) setCancelSave(cancel context.CancelFunc) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelSave = cancel
	return r.lost
}

func (r *Run) lease() shardset.Lease {
	return shardset.Lease{ID: r.id, Epoch: r.epoch, NotAfter: r.member.NotAfter()}
}

func (r *Run) owner() processor.Owner {
	return processor.Owner{Member: r.runner.cfg.Member, Instance: r.instance, Lease: r.lease(), Epochs: r.runner.cfg.Epochs}
}
