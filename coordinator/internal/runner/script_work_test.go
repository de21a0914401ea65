package runner_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// process does ten random things, or fewer if the shard is revoked.
func (s *script) process(ctx context.Context, sh *processor.Shard) error {
	if s.inside.Add(1) != 1 {
		s.t.Error("two calls of Process at once")
	}
	defer s.inside.Add(-1)
	if s.halts.Load() != 0 {
		s.t.Error("a halted shard was started again")
	}
	for range 10 {
		if ctx.Err() != nil && s.choices.IntN(3) == 0 {
			return context.Cause(ctx)
		}
		switch n := s.choices.IntN(100); {
		case n < 50:
			s.commit(sh, ctx)
		case n < 60:
			s.commit(sh, context.WithoutCancel(ctx))
		case n < 70: // leave one in flight
			s.inBackground(sh, ctx, 0)
		case n < 75: // leave one for later
			s.inBackground(sh, ctx, 1+upTo(s.choices, 10*time.Second))
		case n < 85:
			time.Sleep(upTo(s.choices, 2*time.Second))
		case n < 88:
			panic("script")
		case n < 96:
			return s.result()
		default:
			select {
			case <-sh.Revoked():
			case <-time.After(5 * time.Second):
			}
		}
	}
	return errFlaky
}

// result ends an attempt, now and then for good.
func (s *script) result() error {
	switch s.choices.IntN(20) {
	case 0:
		return processor.ErrShardClosed
	case 1:
		return nil
	case 2:
		runtime.Goexit()
	case 3, 4, 5:
		return processor.Halt(errFlaky)
	}
	return errFlaky
}

func (s *script) inBackground(sh *processor.Shard, ctx context.Context, wait time.Duration) {
	s.last++
	p := processor.Position(fmt.Sprint(s.last))
	s.users.Go(func() {
		if time.Sleep(wait); wait == 0 {
			s.commitAt(sh, context.WithoutCancel(ctx), p)
			return
		}
		// It is out of order if it gets through; here it is only to be refused.
		if sh.Check() == processor.ErrReturned {
			s.commitAt(sh, context.WithoutCancel(ctx), p)
		}
	})
	time.Sleep(time.Nanosecond) // it is in line
}

func (s *script) commit(sh *processor.Shard, ctx context.Context) {
	s.last++
	s.commitAt(sh, ctx, processor.Position(fmt.Sprint(s.last)))
}

func (s *script) commitAt(sh *processor.Shard, ctx context.Context, p processor.Position) {
	s.mu.Lock()
	s.passed = append(s.passed, p)
	s.mu.Unlock()
	err := sh.Commit(ctx, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if saved := slices.Contains(s.store.positions(), p); saved != (err == nil) {
		s.t.Errorf("Commit of %s returned %v, and the store has it: %v", p, err, saved)
	}
	if errors.Is(err, processor.ErrLeaseLost) {
		s.refused++
	}
	if errors.Is(err, processor.ErrReturned) {
		s.late++
	}
}
