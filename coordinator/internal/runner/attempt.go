package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// ErrNoProcessor: a Factory returned neither a Processor nor an error.
var ErrNoProcessor = errors.New("factory returned no processor")

// try makes a new processor and calls Process once. When try returns, or user code has ended the
// goroutine, the context of the attempt has ended, and its Shard refuses to commit.
func (r *Run) try() error {
	ctx, cancel := context.WithCancelCause(r.ctx)
	a := &attempt{Run: r}
	s, settle := processor.NewShard(a)
	exited := true
	defer func() {
		if exited {
			r.failed(processor.ErrGoexit, 0)
		}
		settle()
		r.forgetCalls()
		cancel(processor.ErrReturned)
	}()
	err := a.work(ctx, s)
	exited = false
	return err
}

// work reads the checkpoint, makes a processor and calls Process.
func (a *attempt) work(ctx context.Context, s *processor.Shard) error {
	a.setPhase(PhaseStarting)
	if err := a.load(); err != nil {
		return err
	}
	if err := a.mayStart(); err != nil {
		return err
	}
	var p processor.Processor
	err := a.contain(a.revoked, "Factory", func() (err error) {
		p, err = a.runner.cfg.Factory(a.revoked, a.lease())
		return err
	})
	if err == nil && p == nil {
		err = ErrNoProcessor
	}
	if err != nil {
		return fmt.Errorf("make the processor of shard %s: %w", a.id, err)
	}
	if err := a.mayStart(); err != nil {
		return err
	}
	a.started()
	return contain("Process", func() error { return p.Process(ctx, s) })
}

// load reads the checkpoint. At most Config.Loads runs of a member load at the same time, so that
// a member with a thousand new shards does not send a thousand requests at once. The others wait
// without a time limit.
func (a *attempt) load() error {
	select {
	case a.runner.loads <- struct{}{}:
		defer func() { <-a.runner.loads }()
	case <-a.revoked.Done():
	}
	// A load claims the shard, so it needs a valid lease too.
	if err := a.mayStart(); err != nil {
		return err
	}
	err := a.contain(a.revoked, "Checkpoints.Load", func() (err error) {
		ctx, cancel := a.storeContext(a.revoked, time.Now())
		defer cancel()
		a.resume, a.found, err = a.runner.cfg.Checkpoints.Load(ctx, a.owner())
		return err
	})
	if err != nil {
		return fmt.Errorf("read the checkpoint of shard %s: %w", a.id, err)
	}
	if a.found {
		a.reportIfMoved(a.resume)
	}
	return nil
}

// contain calls f with the function contain, and watches the call: see begin.
func (r *Run) contain(ctx context.Context, where string, f func() error) error {
	defer r.begin(ctx, where).End()
	return contain(where, f)
}

// mayStart returns an error if the shard was revoked or lost.
func (r *Run) mayStart() error {
	if err := r.check(time.Now()); err != nil {
		return err
	}
	return context.Cause(r.revoked)
}

// pause reports err and waits for d before the next attempt. It returns false if the shard was
// revoked or lost.
func (r *Run) pause(err error, d time.Duration) bool {
	r.failed(err, d)
	r.setPhase(PhaseRestarting)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		r.mu.Lock()
		r.status.Restarts++
		r.mu.Unlock()
		return true
	case <-r.revoked.Done():
		return false
	}
}
