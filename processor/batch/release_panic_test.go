package batch_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// Panics in Close and Release do not change the outcome.
func TestPanicsInCloseAndReleaseChangeNothing(t *testing.T) {
	for _, call := range []string{"Close", "Release"} {
		synctest.Test(t, func(t *testing.T) {
			src, _ := hookedTape(20, map[string]int{call: 1 << 30, "Read": 1}, func() { panic("cannot") })
			src.closed = true
			r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
			if o := r.finish(); o != shardset.OutcomeClosed || len(r.failed) != 0 {
				t.Errorf("panics in %s: the outcome is %v, after failures %v", call, o, r.failed)
			}
			if got := r.got(); !slices.Equal(got, upTo(20)) {
				t.Errorf("panics in %s: handled %v", call, got)
			}
		})
	}
}

// A Goexit cannot be stopped. In Release, on the loop's goroutine, it ends the run. Everything is
// released even then.
func TestGoexitInReleaseEndsTheRunCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, readers := hookedTape(20, map[string]int{"Release": 1}, runtime.Goexit)
		budget := batch.NewBudget(10_000, 2)
		r := newRig(t, src).handle(nil, batch.Options[int]{Budget: budget}).start(1)
		if o := r.finish(); o != shardset.OutcomeFailed {
			t.Errorf("the outcome is %v, want failed", o)
		}
		if budget.Free() != 10_000 || budget.FreeReads() != 2 || (*readers)[0].closed != 1 {
			t.Errorf("left: %d bytes, %d reads, closed %d times", budget.Free(), budget.FreeReads(), (*readers)[0].closed)
		}
	})
}

// A Goexit in Close, while another reader is made, does not have it called again.
func TestGoexitInCloseIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, readers := hookedTape(20, map[string]int{"Close": 1, "Read": 1}, runtime.Goexit)
		src.closed = true
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		if o := r.finish(); o != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", o)
		}
		for i, h := range *readers {
			if h.closed != 1 {
				t.Errorf("reader %d was closed %d times", i, h.closed)
			}
		}
		if got := r.got(); !slices.Equal(got, upTo(20)) {
			t.Errorf("handled %v", got)
		}
	})
}

// The loop calls After on its own goroutine. A panic there ends Process, which is called again and
// begins at the checkpoint.
func TestAPanicInAfterRestartsTheProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, readers := hookedTape(30, map[string]int{}, nil)
		src.closed = true
		panics := 3
		inner := src.wrap
		src.wrap = func(r batch.Reader[int]) batch.Reader[int] {
			return illAfter{inner(r), &panics}
		}
		budget := batch.NewBudget(10_000, 2)
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			b.AckItem(0)
			time.Sleep(time.Second) // the loop looks at the item meanwhile
			return errLine
		}, batch.Options[int]{Budget: budget, Attempts: 3, Concurrency: 2, DeadLetter: func(context.Context, *batch.Batch[int], batch.Failure) error {
			return nil
		}}).start(1)
		if o := r.finish(); o != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", o)
		}
		if len(r.failed) != 3 {
			t.Errorf("%d attempts failed, want 3: %v", len(r.failed), r.failed)
		}
		if p := r.store.last(); p != "30" {
			t.Errorf("committed %q, want 30", p)
		}
		if budget.Free() != 10_000 || budget.FreeReads() != 2 {
			t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
		}
		for i, h := range *readers {
			if h.closed != 1 {
				t.Errorf("reader %d was closed %d times", i, h.closed)
			}
		}
	})
}

// illAfter is a reader whose positions of items panic for a while.
type illAfter struct {
	batch.Reader[int]
	left *int
}

func (r illAfter) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	c, err := r.Reader.Read(ctx, l)
	c.After = func(int) processor.Position {
		if *r.left--; *r.left >= 0 {
			panic("no such item")
		}
		return ""
	}
	return c, err
}
