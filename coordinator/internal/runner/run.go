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

// Run is one shard being processed under one grant. Do is its goroutine's body.
type Run struct {
	runner   *Runner
	id       shardset.ID
	epoch    uint64
	instance uint64
	term     *Term

	ctx    context.Context // ends when the shard must not be touched
	cancel context.CancelCauseFunc
	soft   context.Context // ends when the shard has to go, and not later than ctx
	revoke context.CancelCauseFunc

	written written

	mu     sync.Mutex // guards the fields below; never held across a call
	status Status
	watch  watch
	// gone is ErrLeaseLost or ErrNotOwner once the shard is not this member's any
	// more. The contexts do not tell: their cause may be an earlier ErrRevoked.
	gone  error
	fatal error              // what an attempt returned as Fatal
	abort context.CancelFunc // ends the save under way; nil: there is none
}

// New returns a Run for the lease. ctx gives its values to the contexts of user
// code, not its end: only Revoke and Cancel stop a run. The term is the lease that
// the run shares with the member's others.
func (rn *Runner) New(ctx context.Context, l shardset.Lease, instance uint64, term *Term) *Run {
	r := &Run{
		runner: rn, id: l.ID, epoch: l.Epoch, instance: instance, term: term,
		status: Status{Phase: PhaseStarting, Since: time.Now()},
	}
	// Goroutines that user code starts inherit the labels, and pprof.Do with its context keeps them.
	base := pprof.WithLabels(context.WithoutCancel(ctx), pprof.Labels(rn.labels(l)...))
	r.ctx, r.cancel = context.WithCancelCause(base)
	r.soft, r.revoke = context.WithCancelCause(base)
	return r
}

// Revoke asks the run to finish, with ErrRevoked or ErrShutdown as the cause. The
// first cause stays.
func (r *Run) Revoke(cause error) { r.revoke(cause) }

// Cancel ends the run's context. The first cause stays. With ErrLeaseLost or
// ErrNotOwner nothing is committed any more, whatever the cause was before.
func (r *Run) Cancel(cause error) {
	if errors.Is(cause, processor.ErrLeaseLost) || errors.Is(cause, processor.ErrNotOwner) {
		r.lose(cause)
	}
	r.revoke(cause) // first, so that the end of ctx is never seen without its reason
	r.cancel(cause)
}

// Cancelled reports whether the run's context has ended.
func (r *Run) Cancelled() bool { return r.ctx.Err() != nil }

// Epoch returns the epoch of the grant.
func (r *Run) Epoch() uint64 { return r.epoch }

// Do runs the shard until it is released, done, or lost, restarting its processor
// after errors. Then, with the last commit decided, it calls done, once, as the
// last thing on this goroutine. It does so even if user code ends the goroutine.
func (r *Run) Do(done func(shardset.Outcome)) {
	outcome := shardset.OutcomeFailed
	pprof.SetGoroutineLabels(r.ctx)
	defer func() {
		r.phase(PhaseReturned)
		r.revoke(processor.ErrReturned) // a cause set earlier stays
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
			<-r.soft.Done()
			outcome, _ = r.outcome(nil)
			return
		}
		if pauses == nil || r.worked() > r.runner.cfg.Restart.Max {
			pauses = r.runner.cfg.Restart.Schedule()
		}
		if !r.pause(err, pauses()) {
			outcome, _ = r.outcome(nil)
			return
		}
	}
}

// outcome says what the end of an attempt means, and whether it ends the run. It
// looks at the lease: a process that wakes from a freeze may come here first.
func (r *Run) outcome(err error) (outcome shardset.Outcome, final bool) {
	gone, cause := r.check(time.Now()), context.Cause(r.soft)
	var p *processor.PanicError
	panicked := errors.As(err, &p)
	is := func(target error) bool { return !panicked && errors.Is(err, target) } // a panic is no result
	ended := is(processor.ErrShardClosed) && !processor.IsHalt(err)              // what is halted is not over
	switch {
	case errors.Is(gone, processor.ErrNotOwner), is(processor.ErrNotOwner):
		outcome = shardset.OutcomeFenced
	case r.isFatal(err):
		outcome = shardset.OutcomeFailed
	case ended && gone == nil:
		outcome = shardset.OutcomeClosed
	case gone != nil, errors.Is(cause, processor.ErrLeaseLost): // Cancel sets one after the other
		outcome = shardset.OutcomeLost
	case cause != nil:
		outcome = shardset.OutcomeReleased
	case err == nil:
		outcome = shardset.OutcomeComplete
	default:
		return shardset.OutcomeFailed, false
	}
	echo := is(cause) || is(gone) || is(context.Canceled) || ended // of being stopped
	if err != nil && !echo {
		r.failed(err, 0)
	}
	return outcome, true
}

// isFatal reports whether err ends the worker, and remembers it.
func (r *Run) isFatal(err error) bool {
	if !processor.IsFatal(err) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fatal = err
	return true
}

// Fatal returns the error that a processor returned as Fatal, or nil. It is final once
// Do has called done.
func (r *Run) Fatal() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fatal
}

// check returns nil while the shard is this member's at now. A context that was
// cancelled because the drain took too long says nothing about that: the shard is
// reported as held until the goroutine returns.
func (r *Run) check(now time.Time) error {
	if !r.term.Valid(now) {
		r.Cancel(processor.ErrLeaseLost)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.sign = now
	return r.gone
}

// lose notes that the shard is not this member's, and ends the save under way.
func (r *Run) lose(cause error) {
	r.mu.Lock()
	if r.gone == nil {
		r.gone = cause
	}
	abort := r.abort
	r.mu.Unlock()
	if abort != nil {
		abort()
	}
}

// saving notes how to end the save that is about to begin, unless the shard is gone.
func (r *Run) saving(abort context.CancelFunc) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.abort = abort
	return r.gone
}

func (r *Run) lease() shardset.Lease {
	return shardset.Lease{ID: r.id, Epoch: r.epoch, NotAfter: r.term.NotAfter()}
}

func (r *Run) owner() processor.Owner {
	return processor.Owner{Member: r.runner.cfg.Member, Instance: r.instance, Lease: r.lease(), Epochs: r.runner.cfg.Epochs}
}
