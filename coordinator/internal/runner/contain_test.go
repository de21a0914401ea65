package runner_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// explode is user code that panics. The stack of the error must name it.
func explode(value any) { panic(value) }

// userCode lists the places at which the run calls user code, and what a PanicError
// from there names. A hook runs inside Process.
var userCode = []struct{ place, where string }{
	{"Load", "Checkpoints.Load"},
	{"Factory", "Factory"},
	{"Process", "Process"},
	{"Before", "Process"},
	{"Save", "Process"},
	{"After", "Process"},
}

// breakOnce returns a rig whose user code calls f at one place, the first time, and
// whose second attempt returns nil.
func breakOnce(t *testing.T, place string, f func()) *rig {
	broken := false
	at := func(p string) {
		if p == place && !broken {
			broken = true
			f()
		}
	}
	r := newRig(t, nil)
	r.store.load = func(context.Context, processor.Owner) error { at("Load"); return nil }
	r.store.save = func(context.Context, processor.Owner, processor.Position) error { at("Save"); return nil }
	r.cfg.Hooks.Before = func(context.Context, processor.Commit) error { at("Before"); return nil }
	r.cfg.Hooks.After = func(processor.Commit, error) { at("After") }
	r.cfg.Factory = func(context.Context, shardset.Lease) (processor.Processor, error) {
		at("Factory")
		return processor.Func(func(ctx context.Context, s *processor.Shard) error {
			at("Process")
			return s.Commit(ctx, "p")
		}), nil
	}
	return r
}

func TestPanicIsContained(t *testing.T) {
	for _, c := range userCode {
		t.Run(c.place, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := breakOnce(t, c.place, func() { explode(errSink) })
				other := newRig(t, func(ctx context.Context, s *processor.Shard) error {
					for i := 0; ; i++ {
						select {
						case <-s.Revoked():
							return nil
						case <-time.After(100 * time.Millisecond):
							if err := s.Commit(ctx, processor.Position(fmt.Sprint(i))); err != nil {
								t.Errorf("the other shard's commit %d: %v", i, err)
							}
						}
					}
				})
				other.start()
				r.start().want(shardset.OutcomeComplete)

				var p *processor.PanicError
				if err := r.run.Status().LastError; !errors.As(err, &p) {
					t.Fatalf("last error %v, want a *PanicError", err)
				}
				if p.Where != c.where || p.Value != error(errSink) {
					t.Errorf("panic of %v in %q, want %v in %q", p.Value, p.Where, errSink, c.where)
				}
				if !strings.Contains(string(p.Stack), "runner_test.explode") {
					t.Errorf("the stack does not name the function that panicked:\n%s", p.Stack)
				}
				if !errors.Is(r.run.Status().LastError, errSink) {
					t.Errorf("last error %v does not match the error that was panicked with", r.run.Status().LastError)
				}
				if got := r.run.Status().Restarts; got != 1 {
					t.Errorf("%d restarts, want 1", got)
				}

				time.Sleep(time.Until(other.run.Status().Since.Add(5*time.Second + 1)))
				if got := len(other.store.positions()); got != 50 {
					t.Errorf("the other shard made %d commits in 5 s, want 50", got)
				}
				other.run.Revoke(processor.ErrShutdown)
				other.want(shardset.OutcomeReleased)
			})
		})
	}
}

// A Goexit cannot be recovered, but the run reports it and ends.
func TestGoexitIsSeen(t *testing.T) {
	for _, c := range userCode {
		t.Run(c.place, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := breakOnce(t, c.place, runtime.Goexit)
				r.start().want(shardset.OutcomeFailed)
				if err := r.run.Status().LastError; !errors.Is(err, processor.ErrGoexit) {
					t.Errorf("last error %v, want %v", err, processor.ErrGoexit)
				}
				want := []string{"failed, restart false: " + processor.ErrGoexit.Error(), "done failed"}
				if got := r.events(); !slices.Equal(got[len(got)-2:], want) {
					t.Errorf("last events: got %q, want %q", got, want)
				}
			})
		})
	}
}

// panic(nil) is a panic, even under GODEBUG=panicnil=1, where recover returns nil.
func TestPanicNil(t *testing.T) {
	for _, setting := range []string{"", "panicnil=1"} {
		t.Run(setting, func(t *testing.T) {
			t.Setenv("GODEBUG", setting)
			synctest.Test(t, func(t *testing.T) {
				r := breakOnce(t, "Process", func() { explode(nil) })
				r.start().want(shardset.OutcomeComplete)
				var p *processor.PanicError
				if err := r.run.Status().LastError; !errors.As(err, &p) || len(p.Stack) == 0 {
					t.Errorf("last error %v, want a *PanicError with a stack", err)
				}
				if got := r.run.Status().Restarts; got != 1 {
					t.Errorf("%d restarts, want 1; events: %q", got, r.events())
				}
			})
		})
	}
}

// The argument of a panic is not the result of Process: no error that is passed to
// panic ends the run, and none counts as the expected result of a stop.
func TestPanicValueIsNotAResult(t *testing.T) {
	for _, value := range []error{processor.ErrShardClosed, processor.ErrNotOwner} {
		t.Run(value.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := breakOnce(t, "Process", func() { explode(value) })
				r.start().want(shardset.OutcomeComplete)
				if got := r.run.Status().Restarts; got != 1 {
					t.Errorf("%d restarts, want 1; events: %q", got, r.events())
				}
			})
		})
	}
	for _, value := range []error{processor.ErrShardClosed, processor.ErrRevoked, context.Canceled} {
		t.Run("draining/"+value.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(_ context.Context, s *processor.Shard) error {
					<-s.Revoked()
					panic(value)
				})
				r.start()
				r.run.Revoke(processor.ErrRevoked)
				r.want(shardset.OutcomeReleased)
				var p *processor.PanicError
				if err := r.run.Status().LastError; !errors.As(err, &p) {
					t.Errorf("last error %v, want a *PanicError; events: %q", err, r.events())
				}
			})
		})
	}
}
