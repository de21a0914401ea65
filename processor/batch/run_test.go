package batch_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

// run is one shard under one grant, with what a worker adds to one call of Process: it
// restarts a processor that failed, holds a halted shard, and has an outcome.
type run struct {
	*processortest.Shard
	restart                processor.Backoff
	onFailure, onHalt      func(error)
	revoked                context.Context
	noteRevoked            context.CancelCauseFunc
	mu                     sync.Mutex // guards the fields below
	restarts               int
	halted                 bool
	lastError, gone, fatal error
}

// runStatus is a snapshot of a run.
type runStatus struct {
	processortest.Status
	Restarts  int
	Halted    bool
	LastError error
}

func newRun(cfg processortest.Config) *run {
	r := &run{Shard: processortest.New(cfg), onFailure: func(error) {}, onHalt: func(error) {}}
	r.revoked, r.noteRevoked = context.WithCancelCause(context.Background())
	return r
}

func (r *run) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// Revoke is the Shard's, and ends a pause.
func (r *run) Revoke(cause error) {
	r.Shard.Revoke(cause)
	r.noteRevoked(cause)
}

// Cancel is the Shard's, and ends a pause.
func (r *run) Cancel(cause error) {
	if errors.Is(cause, processor.ErrLeaseLost) || errors.Is(cause, processor.ErrNotOwner) {
		r.locked(func() { r.gone = cause })
	}
	r.Shard.Cancel(cause)
	r.noteRevoked(cause)
}

func (r *run) Status() runStatus {
	st := runStatus{Status: r.Shard.Status()}
	r.locked(func() { st.Restarts, st.Halted, st.LastError = r.restarts, r.halted, r.lastError })
	return st
}

// Fatal returns the error that was made with processor.Fatal, if one ended the run.
func (r *run) Fatal() (err error) {
	r.locked(func() { err = r.fatal })
	return err
}

// do runs the shard to its end, even if user code ends the goroutine.
func (r *run) do(f processor.Factory, done func(shardset.Outcome)) {
	outcome := shardset.OutcomeFailed
	defer func() { done(outcome) }()
	pause := r.restart.Schedule()
	for {
		err := r.attempt(f)
		var final bool
		if outcome, final = r.outcome(err); final {
			return
		}
		again := false
		if processor.IsHalt(err) {
			r.locked(func() { r.halted, r.lastError = true, err })
			r.onHalt(err)
			<-r.revoked.Done()
		} else {
			again = r.wait(err, pause())
		}
		if !again {
			outcome, _ = r.outcome(nil)
			return
		}
	}
}

// attempt calls Process once. It looks at the lease as Process returns.
func (r *run) attempt(f processor.Factory) error {
	exited := true
	defer func() {
		if exited {
			r.failed(processor.ErrGoexit)
		}
	}()
	err := r.Shard.Run(func(ctx context.Context, l shardset.Lease) (processor.Processor, error) {
		p, err := f(ctx, l)
		if err != nil {
			return nil, err
		}
		return processor.Func(func(ctx context.Context, s *processor.Shard) error {
			defer func() {
				if err := s.Check(); err != nil {
					r.locked(func() { r.gone = err })
				}
				if cause := s.Cause(); cause != nil {
					r.noteRevoked(cause)
				}
			}()
			return p.Process(ctx, s)
		}), nil
	})
	exited = false
	return err
}

func (r *run) wait(err error, d time.Duration) bool {
	r.failed(err)
	select {
	case <-time.After(d):
		r.locked(func() { r.restarts++ })
		return true
	case <-r.revoked.Done():
		return false
	}
}

func (r *run) failed(err error) {
	r.locked(func() { r.lastError = err })
	r.onFailure(err)
}

// outcome says what the end of an attempt means, and whether it ends the run.
func (r *run) outcome(err error) (o shardset.Outcome, final bool) {
	var gone error
	r.locked(func() { gone = r.gone })
	cause := context.Cause(r.revoked)
	var p *processor.PanicError
	panicked := errors.As(err, &p)
	is := func(target error) bool { return !panicked && errors.Is(err, target) }
	ended := is(processor.ErrShardClosed) && !processor.IsHalt(err)
	switch {
	case errors.Is(gone, processor.ErrNotOwner), is(processor.ErrNotOwner):
		o = shardset.OutcomeFenced
	case processor.IsFatal(err):
		r.locked(func() { r.fatal = err })
		o = shardset.OutcomeFailed
	case ended && gone == nil:
		o = shardset.OutcomeClosed
	case gone != nil:
		o = shardset.OutcomeLost
	case cause != nil:
		o = shardset.OutcomeReleased
	case err == nil:
		o = shardset.OutcomeComplete
	default:
		return shardset.OutcomeFailed, false
	}
	if err != nil && !is(cause) && !is(gone) && !is(context.Canceled) && !ended {
		r.failed(err)
	}
	return o, true
}
