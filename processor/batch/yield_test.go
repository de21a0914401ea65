package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// Shards whose sink is down fill a budget for two batches. A healthy one must go on.
func TestFailingShardsLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(2000, 8)
		options := batch.Options[int]{Budget: budget, BatchBytes: 1000, Prefetch: -1}
		var down atomic.Bool
		down.Store(true)
		var sick []*rig
		for range 5 {
			tape := newTape(30)
			tape.perRead = 10
			sick = append(sick, newRig(t, tape).handle(func(context.Context, *batch.Batch[int]) error {
				if down.Load() {
					return errors.New("the sink is down")
				}
				return nil
			}, options).start(1))
		}
		time.Sleep(time.Minute)
		tape := newTape(100)
		tape.perRead, tape.closed = 10, true
		healthy := newRig(t, tape).handle(nil, options).start(1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := len(healthy.got()); got != 100 {
			t.Errorf("the healthy shard has handled %d items, want 100", got)
		}
		healthy.finish()

		down.Store(false)
		time.Sleep(2 * time.Minute)
		for _, r := range sick {
			r.run.Revoke(processor.ErrRevoked)
			r.finish()
			if got := r.got(); !slices.Equal(got, upTo(30)) {
				t.Errorf("a shard whose sink was down has handled %v, want 0 to 29 once", got)
			}
		}
		if budget.Free() != budget.Size() || budget.FreeReads() != 8 {
			t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
		}
	})
}

// A batch that yielded its memory goes on with its attempts, and a shard that was read to its end still
// ends.
//
// It is a matter of chance whether the other shard waits when the failing one checks, so there are a few
// tries.
func TestAttemptsAreCountedAcrossYield(t *testing.T) {
	for range 5 {
		if attemptsAcrossYield(t) {
			return
		}
	}
	t.Error("no batch yielded")
}

// attemptsAcrossYield is one try. It reports whether any batch yielded.
func attemptsAcrossYield(t *testing.T) (back bool) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		src := newTape(10)
		src.perRead, src.closed = 10, true
		var attempts []int
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			attempts = append(attempts, b.Attempt)
			return errors.New("no")
		}, batch.Options[int]{
			Budget: budget, BatchBytes: 1000, Attempts: 4,
			OnError: func(_ context.Context, f batch.Failure) batch.Action {
				if f.Exhausted {
					return batch.ActionSkip
				}
				return batch.ActionRetry
			},
		}).start(1)
		hog := newTape(1 << 20) // always wants more
		hog.perRead = 10
		other := newRig(t, hog).handle(nil, batch.Options[int]{Budget: budget, BatchBytes: 1000}).start(1)
		if o := r.finish(); o != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", o)
		}
		if !slices.Equal(attempts, []int{1, 2, 3, 4}) {
			t.Errorf("the attempts were %v, want 1 to 4", attempts)
		}
		if n := len(r.poison()); n != 1 || r.store.last() != "10" {
			t.Errorf("%d batches were given up and %q is committed, want 1 and 10", n, r.store.last())
		}
		back = src.count(func(t *tape) int { return len(t.opens) }) >= 2
		other.run.Revoke(processor.ErrRevoked)
		other.finish()
	})
	return back
}
