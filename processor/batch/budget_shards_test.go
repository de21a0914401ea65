package batch_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// held is how many batches a tape has out.
func (t *tape) held() int { return t.count(func(t *tape) int { return t.alive }) }

func TestAShardTakesNoMoreThanItsShare(t *testing.T) {
	for _, c := range []struct {
		name   string
		budget int64
		o      batch.Options[int]
		want   int // batches of 100 bytes
	}{
		{"as set", 10_000, batch.Options[int]{ShardBytes: 500, Prefetch: 50}, 5},
		{"as set, in odd numbers", 10_000, batch.Options[int]{ShardBytes: 599, Prefetch: 50}, 5},
		{"half of the budget", 10_000, batch.Options[int]{Prefetch: 200}, 50},
		{"what prefetch needs", 10_000, batch.Options[int]{Prefetch: 4}, 5},
		{"what concurrency needs", 10_000, batch.Options[int]{Prefetch: 4, Concurrency: 5}, 9},
		{"a batch, whatever the budget", 100, batch.Options[int]{Prefetch: 4}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.o.Budget, c.o.BatchBytes = batch.NewBudget(c.budget, 4), 100
				src := newTape(1000)
				r := newRig(t, src).handle(stuck, c.o).start(1)
				time.Sleep(time.Minute)
				if n := src.held(); n != c.want {
					t.Errorf("%d batches are in memory, want %d", n, c.want)
				}
				if free := c.o.Budget.Free(); free != c.budget-int64(100*c.want) {
					t.Errorf("%d bytes are free with %d batches of 100 out of %d", free, c.want, c.budget)
				}
				r.endWith(processor.ErrLeaseLost)
				if c.o.Budget.Free() != c.budget {
					t.Errorf("%d bytes are free in the end, want %d", c.o.Budget.Free(), c.budget)
				}
			})
		})
	}
}

// An item larger than the budget is handled. Meanwhile all other reads wait, and then the whole budget is
// free again.
func TestABatchLargerThanTheBudgetPassesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 4)
		o := batch.Options[int]{Budget: budget, BatchBytes: 100}
		whale, minnow := newTape(1), newTape(100)
		whale.each = 5000
		big := newRig(t, whale).handle(func(context.Context, *batch.Batch[int]) error {
			time.Sleep(time.Hour)
			return nil
		}, o).start(1)
		small := newRig(t, minnow).handle(nil, o).start(1)
		time.Sleep(time.Minute)
		if free := budget.Free(); free != -4000 {
			t.Errorf("%d bytes are free, want a debt of 4000", free)
		}
		if got := small.got(); len(got) != 0 {
			t.Errorf("another shard handled %v meanwhile", got)
		}
		time.Sleep(time.Hour)
		if got := big.got(); !slices.Equal(got, []int{0}) {
			t.Errorf("handled %v", got)
		}
		if got := small.got(); !slices.Equal(got, upTo(100)) {
			t.Errorf("another shard handled %v after that", got)
		}
		if budget.Free() != 1000 || budget.FreeReads() != 4 {
			t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
		}
		big.endWith(processor.ErrLeaseLost)
		small.endWith(processor.ErrLeaseLost)
	})
}

// A shard that is revoked while it waits for the budget is released at once.
func TestRevokedWhileWaitingForTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(100, 1)
		o := batch.Options[int]{Budget: budget}
		first := newRig(t, newTape(10)).handle(stuck, o).start(1)
		second := newRig(t, newTape(10)).handle(nil, o).start(1)
		time.Sleep(time.Minute)
		begin := time.Now()
		second.run.Revoke(processor.ErrRevoked)
		second.finish()
		if d := time.Since(begin); d != 0 {
			t.Errorf("it went after %v, want at once", d)
		}
		first.endWith(processor.ErrLeaseLost)
		if budget.Free() != 100 || budget.FreeReads() != 1 {
			t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
		}
	})
}

// crowdRun has so many idle shards whose reads take 100 ms, on 4 reads at a time, and
// returns how long the items of a busy one wait at worst.
func crowdRun(t *testing.T, idle int) (worst time.Duration) {
	budget := batch.NewBudget(1<<20, 4)
	o := batch.Options[int]{Budget: budget, BatchBytes: 1000}
	var crowd []*rig
	for range idle {
		src := newTape(0)
		src.delay = 100 * time.Millisecond
		crowd = append(crowd, newRig(t, src).handle(nil, o).start(1))
	}
	time.Sleep(time.Minute) // until they count as idle
	src := newTape(1)
	src.delay = time.Millisecond
	var added []time.Time
	busy := newRig(t, src)
	busy.handle(func(_ context.Context, b *batch.Batch[int]) error {
		busy.locked(func() {
			for _, item := range b.Items {
				worst = max(worst, time.Since(added[item]))
			}
		})
		return nil
	}, o)
	added = append(added, time.Now())
	busy.start(1)
	for range 400 {
		time.Sleep(50 * time.Millisecond)
		busy.locked(func() { added = append(added, time.Now()) })
		src.add(1)
	}
	time.Sleep(5 * time.Second)
	if n := len(busy.got()); n != 401 {
		t.Errorf("beside %d idle shards %d items were handled, want 401", idle, n)
	}
	for i, r := range crowd {
		if n := r.tape.readCount(); n < 2 {
			t.Errorf("idle shard %d of %d was read %d times", i, idle, n)
		}
	}
	for _, r := range append(crowd, busy) {
		r.endWith(processor.ErrLeaseLost)
	}
	if budget.Free() != budget.Size() || budget.FreeReads() != 4 {
		t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
	}
	return worst
}

func TestIdleShardsDoNotSlowABusyOne(t *testing.T) {
	for _, idle := range []int{0, 100} {
		synctest.Test(t, func(t *testing.T) {
			if worst := crowdRun(t, idle); worst > 105*time.Millisecond {
				t.Errorf("beside %d idle shards an item waited for %v, want 105ms at most", idle, worst)
			}
		})
	}
}
