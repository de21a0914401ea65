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

// Run processes one shard under one grant. Its goroutine runs Do. All methods but Do may be
// called from any goroutine.
type Run struct {
	runner   *Runner
	id       shardset.ID
	epoch    uint64
	instance uint64
	member   *MemberLease

	ctx     context.Context // ends when the shard must not be touched
	cancel  context.CancelCauseFunc
	revoked context.Context // ends when the shard has to go, and not later than ctx
	revoke  context.CancelCauseFunc

	written written

	mu     sync.Mutex // guards the fields below; never held across a call
	status Status
	watch  watch
	// lost is ErrLeaseLost or ErrNotOwner once the member does not own the shard any more.
	// The cause of the contexts does not show it: that may be an earlier ErrRevoked.
	lost       error
	fatal      error              // of an attempt, made with processor.Fatal
	cancelSave context.CancelFunc // ends the save under way; nil: there is none
}

// New returns a Run for a grant. The contexts of user code have the values of ctx, but do
// not end with it: only Revoke and Cancel stop a run. member is the lease that the run
// shares with the other runs of the member.
func (rn *Runner) New(ctx context.Context, l shardset.Lease, instance uint64, member *MemberLease) *Run {
	r := &Run{
		runner: rn, id: l.ID, epoch: l.Epoch, instance: instance, member: member,
		status: Status{Phase: PhaseStarting, Since: time.Now()},
	}
	// Goroutines that user code starts inherit the labels, and pprof.Do with the context keeps them.
	base := pprof.WithLabels(context.WithoutCancel(ctx), pprof.Labels(rn.labels(l)...))
	r.ctx, r.cancel = context.WithCancelCause(base)
	r.revoked, r.revoke = context.WithCancelCause(base)
	return r
}

// Revoke asks the processor to finish, with ErrRevoked or ErrShutdown as the cause. The first
// cause stays.
func (r *Run) Revoke(cause error) { r.revoke(cause) }

// Cancel cancels the context of user code. The first cause stays. With ErrLeaseLost or
// ErrNotOwner the run commits nothing more, whatever the first cause was.
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

// Do processes the shard until it is released, complete or lost, and restarts the processor
// after errors. When the last commit is decided, it calls done, once, as the last thing on
// this goroutine, also if user code ends the goroutine.
func (r *Run) Do(done func(shardset.Outcome)) {
	outcome := shardset.OutcomeFailed
	pprof.SetGoroutineLabels(r.ctx)
	defer func() {
		r.setPhase(PhaseReturned)
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

// outcome returns the outcome that the end of an attempt means, and whether it ends the run.
// It checks the lease: a process that wakes from a freeze may come here first.
func (r *Run) outcome(err error) (outcome shardset.Outcome, final bool) {
	gone, cause := r.check(time.Now()), context.Cause(r.revoked)
	var p *processor.PanicError
	panicked := errors.As(err, &p)
	is := func(target error) bool { return !panicked && errors.Is(err, target) } // a panic does not count as a result
	ended := is(processor.ErrShardClosed) && !processor.IsHalt(err)              // a halted shard is not complete
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
	expected := is(cause) || is(gone) || is(context.Canceled) || ended
	if err != nil && !expected {
		r.failed(err, 0)
	}
	return outcome, true
}

// isFatal reports whether err ends the worker, and stores it for Fatal.
func (r *Run) isFatal(err error) bool {
	if !processor.IsFatal(err) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fatal = err
	return true
}

// Fatal returns the error that was made with processor.Fatal, or nil. It is final once Do has
// called done.
func (r *Run) Fatal() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fatal
}

// check returns nil if the member owns the shard at now. It does so also after the drain
// timeout has cancelled the context: the member reports the shard as held until the goroutine
// returns.
func (r *Run) check(now time.Time) error {
	if !r.member.Valid(now) {
		r.Cancel(processor.ErrLeaseLost)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch.lastSign = now
	return r.lost
}

// lose stores that the member does not own the shard any more, and ends the save under way.
func (r *Run) lose(cause error) {
	r.mu.Lock()
	if r.lost == nil {
		r.lost = cause
	}
	abort := r.cancelSave
	r.mu.Unlock()
	if abort != nil {
		abort()
	}
}

// setCancelSave stores how to end the save that is about to begin. It returns why the member does
// not own the shard any more, if so.
func (r *Run) setCancelSave(abort context.CancelFunc) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelSave = abort
	return r.lost
}

func (r *Run) lease() shardset.Lease {
	return shardset.Lease{ID: r.id, Epoch: r.epoch, NotAfter: r.member.NotAfter()}
}

func (r *Run) owner() processor.Owner {
	return processor.Owner{Member: r.runner.cfg.Member, Instance: r.instance, Lease: r.lease(), Epochs: r.runner.cfg.Epochs}
}
