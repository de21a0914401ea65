package batch_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestAFailureWhileDrainingGivesNothingUp: a batch fails, in each way, while the shard is revoked. The
// revocation may be the reason, so the next owner handles the batch.
func TestAFailureWhileDrainingGivesNothingUp(t *testing.T) {
	options := map[string]batch.Options[int]{
		"skip":                        {OnError: always(batch.ActionSkip)},
		"skip, no attempt left":       {OnError: always(batch.ActionSkip), Attempts: 1},
		"dead letter":                 {OnError: always(batch.ActionDeadLetter), DeadLetter: taken},
		"no attempt left":             {Attempts: 1, DeadLetter: taken},
		"no time left":                {Elapsed: time.Second, DeadLetter: taken},
		"no attempt left, and no end": {Attempts: 1},
		"halt the shard":              {OnError: always(batch.ActionHalt)},
		"end the worker":              {OnError: always(batch.ActionFatal)},
	}
	failures := map[string]func() error{
		"an error": func() error { return errBad },
		"a panic":  func() error { panic(errBad) },
		"a goexit": func() error { runtime.Goexit(); return nil },
	}
	for _, cause := range []error{processor.ErrShutdown, processor.ErrRevoked} {
		for kind, fail := range failures {
			for name, o := range options {
				for _, pause := range []time.Duration{0, 2 * time.Second} { // the loop hears of it together with the failure, or before
					bubble(t, name+"/"+kind+"/"+cause.Error()+"/"+pause.String(), func(t *testing.T) {
						src := newTape(10)
						r := newRig(t, src)
						r.watch()
						r.handle(func(_ context.Context, b *batch.Batch[int]) error {
							<-b.Revoked()
							time.Sleep(pause)
							return fail()
						}, o).start(1)
						r.run.Revoke(cause)
						if got := r.finish(); got != shardset.OutcomeReleased {
							t.Errorf("the outcome is %v, want released", got)
						}
						if len(r.poison()) != 0 || r.store.last() != "" {
							t.Errorf("%d items were given up and %q is stored", len(r.poison()), r.store.last())
						}
						src.set(func(t *tape) { t.closed = true })
						next := r.heir().handle(nil, batch.Options[int]{}).start(2)
						next.finish()
						checkItems(t, "the next owner handled", next.got(), upTo(10))
					})
				}
			}
		}
	}
}

// TestAFailureSeenWithTheRevocation: the loop is busy during a revocation and a failure, and then sees
// both at once. The revocation may be the reason, so the next owner handles the batch.
func TestAFailureSeenWithTheRevocation(t *testing.T) {
	for range 20 { // which of them it looks at first is a matter of chance
		synctest.Test(t, func(t *testing.T) {
			src := newTape(20)
			src.perRead = 10
			src.wrap = func(r batch.Reader[int]) batch.Reader[int] { return slowRelease{r} }
			r := newRig(t, src)
			r.handle(func(_ context.Context, b *batch.Batch[int]) error {
				if b.Items[0] == 0 {
					time.Sleep(time.Second)
					return nil
				}
				<-b.Revoked()
				return errBad
			}, batch.Options[int]{Concurrency: 2, OnError: always(batch.ActionSkip)}).start(1)
			time.Sleep(1500 * time.Millisecond)
			r.run.Revoke(processor.ErrRevoked)
			r.finish()
			if len(r.poison()) != 0 || r.store.last() != "10" {
				t.Errorf("%d batches were given up and %q is stored, want none and 10", len(r.poison()), r.store.last())
			}
		})
	}
}

// slowRelease keeps the loop busy for a second.
type slowRelease struct{ batch.Reader[int] }

func (r slowRelease) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	c, err := r.Reader.Read(ctx, l)
	if release := c.Release; release != nil {
		c.Release = func() { time.Sleep(time.Second); release() }
	}
	return c, err
}
