package processor

import (
	"context"
	"fmt"
	"time"
)

// attempt lets a fresh processor work, once. When it returns, or user code ends the
// goroutine, what belongs to the attempt is dead: its handle and its context.
func (r *Run) attempt() error {
	ctx, cancel := context.WithCancelCause(r.ctx)
	s := &Shard{run: r}
	exited := true
	defer func() {
		if exited {
			r.failed(ErrGoexit, 0)
		}
		s.settle()
		cancel(ErrReturned)
	}()
	err := r.try(ctx, s)
	exited = false
	return err
}

// try reads the checkpoint, makes a processor and calls it.
func (r *Run) try(ctx context.Context, s *Shard) error {
	r.phase(PhaseStarting)
	if err := r.load(s); err != nil {
		return err
	}
	if err := r.mayStart(); err != nil {
		return err
	}
	var p Processor
	err := r.contain(r.soft, "Factory", func() (err error) {
		p, err = r.runner.cfg.Factory(r.soft, r.lease())
		return err
	})
	if err == nil && p == nil {
		err = ErrNoProcessor
	}
	if err != nil {
		return fmt.Errorf("make the processor of shard %s: %w", r.id, err)
	}
	if err := r.mayStart(); err != nil {
		return err
	}
	r.running(s)
	return Contain("Process", func() error { return p.Process(ctx, s) })
}

// load reads the checkpoint. It waits for its turn first, without a bound of its own: a
// member that is granted a thousand shards at once makes a few requests at a time.
func (r *Run) load(s *Shard) error {
	select {
	case r.runner.loads <- struct{}{}:
		defer func() { <-r.runner.loads }()
	case <-r.soft.Done():
	}
	// A load claims the shard, so not even that is done without a lease.
	if err := r.mayStart(); err != nil {
		return err
	}
	err := r.contain(r.soft, "Checkpoints.Load", func() (err error) {
		ctx, cancel := r.storeContext(r.soft, time.Now())
		defer cancel()
		s.resume, s.found, err = r.runner.cfg.Checkpoints.Load(ctx, r.owner())
		return err
	})
	if err != nil {
		return fmt.Errorf("read the checkpoint of shard %s: %w", r.id, err)
	}
	if s.found {
		r.compare(s.resume)
	}
	return nil
}

// contain is Contain for a call that may hang.
func (r *Run) contain(ctx context.Context, where string, f func() error) error {
	defer r.begin(ctx, where).End()
	return Contain(where, f)
}

// mayStart returns nil unless the lease is over or the shard has to go.
func (r *Run) mayStart() error {
	if err := r.check(time.Now()); err != nil {
		return err
	}
	return context.Cause(r.soft)
}

// settle waits for a commit in flight and refuses later ones, so that the shard's
// last commit is decided before anybody hears that it is free. Nor is anything told
// of the attempt after that.
func (s *Shard) settle() {
	s.run.slot <- struct{}{}
	s.run.mu.Lock()
	s.closed.Store(true)
	s.run.watch = watch{}
	s.run.mu.Unlock()
	<-s.run.slot
	s.telling.Wait()
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
