package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// ErrNoProcessor: a Factory has returned neither a Processor nor an error.
var ErrNoProcessor = errors.New("factory returned no processor")

// try makes a new processor and calls it, once. When try returns, or user code ends the
// goroutine, the Shard of the attempt refuses everything and its context has ended.
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

// work reads the checkpoint, makes a processor and calls it.
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

// load reads the checkpoint. It first waits for its turn, however long: a member that is
// granted a thousand shards at once makes Config.Loads requests at a time.
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

// contain is the function contain for a call that may hang, with an activity.
func (r *Run) contain(ctx context.Context, where string, f func() error) error {
	defer r.begin(ctx, where).End()
	return contain(where, f)
}

// mayStart returns an error if the lease has expired or the shard has to go.
func (r *Run) mayStart() error {
	if err := r.check(time.Now()); err != nil {
		return err
	}
	return context.Cause(r.revoked)
}

// pause waits between two attempts. It returns false if the shard has to go meanwhile.
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
