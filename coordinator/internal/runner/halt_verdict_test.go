package runner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Halt has no effect on a shard that is revoked or lost: the run reports a failure and
// ends.
func TestHaltTooLate(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*rig)
		err    error
		want   shardset.Outcome
	}{
		"draining":      {func(r *rig) { r.run.Revoke(processor.ErrRevoked) }, errBad, shardset.OutcomeReleased},
		"leaving":       {func(r *rig) { r.run.Revoke(processor.ErrShutdown) }, errBad, shardset.OutcomeReleased},
		"drain is out":  {func(r *rig) { r.run.Cancel(processor.ErrRevoked) }, errBad, shardset.OutcomeReleased},
		"lost":          {func(r *rig) { r.run.Cancel(processor.ErrLeaseLost) }, errBad, shardset.OutcomeLost},
		"lease is over": {func(r *rig) { r.term.End() }, errBad, shardset.OutcomeLost},
		"about an end": {func(r *rig) { r.run.Revoke(processor.ErrRevoked) },
			errors.Join(errBad, processor.ErrShardClosed), shardset.OutcomeReleased},
		"fenced":           {func(r *rig) { r.run.Cancel(processor.ErrNotOwner) }, errBad, shardset.OutcomeFenced},
		"fenced by a sink": {func(*rig) {}, errors.Join(errBad, processor.ErrNotOwner), shardset.OutcomeFenced},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r *rig
				r = newRig(t, func(context.Context, *processor.Shard) error {
					c.before(r)
					return processor.Halt(c.err)
				})
				told := watchHalts(r)
				r.start().want(c.want)
				r.wantEvents("load", `started "" false`,
					fmt.Sprintf("failed, restart false: %v", c.err), fmt.Sprintf("done %v", c.want))
				if len(*told) != 0 {
					t.Errorf("told of a halt of a shard that is not held: %v", *told)
				}
			})
		})
	}
}

// A panic with a marked error is a panic, wherever it comes from and however the error
// is wrapped.
func TestHaltInAPanic(t *testing.T) {
	boom := &processor.PanicError{Value: processor.Halt(errBad)}
	for name, f := range map[string]func() error{
		"panicked":  func() error { panic(processor.Halt(errBad)) },
		"contained": func() error { return boom },
		"wrapped":   func() error { return fmt.Errorf("worker 3: %w", boom) },
		"joined":    func() error { return errors.Join(errFlaky, boom) },
		"fatal": func() error {
			return fmt.Errorf("worker 3: %w", &processor.PanicError{Value: processor.Fatal(errBad)})
		},
	} {
		for _, place := range []string{"Process", "Factory"} {
			t.Run(name+"/"+place, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					attempts := 0
					fail := func() error {
						if attempts++; attempts == 1 {
							return f()
						}
						return nil
					}
					r := newRig(t, nil)
					r.cfg.Factory = func(context.Context, shardset.Lease) (processor.Processor, error) {
						if place == "Factory" {
							if err := fail(); err != nil {
								return nil, err
							}
						}
						return processor.Func(func(context.Context, *processor.Shard) error {
							if place == "Process" {
								return fail()
							}
							return nil
						}), nil
					}
					told := watchHalts(r)
					r.start().want(shardset.OutcomeComplete)
					if attempts != 2 || len(*told) != 0 || r.run.Fatal() != nil {
						t.Errorf("%d attempts, halts %v, fatal error %v; want 2 attempts and nothing else",
							attempts, *told, r.run.Fatal())
					}
				})
			})
		}
	}
}

// Fatal counts more than Halt, and also marks an error that wraps a panic.
func TestHaltAndFatal(t *testing.T) {
	for name, err := range map[string]error{
		"fatal halt":    processor.Fatal(processor.Halt(errBad)),
		"halted fatal":  processor.Halt(processor.Fatal(errBad)),
		"both":          errors.Join(processor.Halt(errFlaky), processor.Fatal(errBad)),
		"about a panic": processor.Fatal(&processor.PanicError{Value: errBad}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(context.Context, *processor.Shard) error { return err })
				told := watchHalts(r)
				r.start()
				select {
				case o := <-r.out:
					r.out <- o
				default:
					t.Fatalf("the run goes on; events: %q", r.events())
				}
				r.want(shardset.OutcomeFailed)
				if !errors.Is(r.run.Fatal(), errBad) || len(*told) != 0 {
					t.Errorf("fatal error %v, halts %v; want %v and no halt", r.run.Fatal(), *told, errBad)
				}
			})
		})
	}
}
