package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// ErrNoProcessor is why an attempt fails if its Factory returned neither a Processor nor
// an error.
var ErrNoProcessor = errors.New("factory returned no processor")

// try lets a fresh processor work, once. When it returns, or user code ends the
// goroutine, what belongs to the attempt is dead: its handle and its context.
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
	a.phase(PhaseStarting)
	if err := a.load(); err != nil {
		return err
	}
	if err := a.mayStart(); err != nil {
		return err
	}
	var p processor.Processor
	err := a.contain(a.soft, "Factory", func() (err error) {
		p, err = a.runner.cfg.Factory(a.soft, a.lease())
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

// load reads the checkpoint. It waits for its turn first, without a bound of its own: a
// member that is granted a thousand shards at once makes a few requests at a time.
func (a *attempt) load() error {
	select {
	case a.runner.loads <- struct{}{}:
		defer func() { <-a.runner.loads }()
	case <-a.soft.Done():
	}
	// A load claims the shard, so not even that is done without a lease.
	if err := a.mayStart(); err != nil {
		return err
	}
	err := a.contain(a.soft, "Checkpoints.Load", func() (err error) {
		ctx, cancel := a.storeContext(a.soft, time.Now())
		defer cancel()
		a.resume, a.found, err = a.runner.cfg.Checkpoints.Load(ctx, a.owner())
		return err
	})
	if err != nil {
		return fmt.Errorf("read the checkpoint of shard %s: %w", a.id, err)
	}
	if a.found {
		a.compare(a.resume)
	}
	return nil
}

// contain is the function contain for a call that may hang.
func (r *Run) contain(ctx context.Context, where string, f func() error) error {
	defer r.begin(ctx, where).End()
	return contain(where, f)
}

// mayStart returns nil unless the lease is over or the shard has to go.
func (r *Run) mayStart() error {
	if err := r.check(time.Now()); err != nil {
		return err
	}
	return context.Cause(r.soft)
}

// pause waits between two attempts, and reports whether there is another one.
func (r *Run) pause(err error, d time.Duration) bool {
	r.failed(err, d)
	r.phase(PhaseRestarting)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		r.mu.Lock()
		r.status.Restarts++
		r.mu.Unlock()
		return true
	case <-r.soft.Done():
		return false
	}
}
