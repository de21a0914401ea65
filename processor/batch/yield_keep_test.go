package batch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

var errNo = errors.New("no")

// hog is a shard that always waits for the budget.
func hog(t *testing.T, b *batch.Budget) *rig {
	src := newTape(1 << 30)
	src.perRead = 10
	return newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error { time.Sleep(time.Second / 2); return nil },
		batch.Options[int]{Budget: b, BatchBytes: 1000, ShardBytes: 1000}).start(1)
}

func (r *rig) quit() { r.run.Cancel(processor.ErrLeaseLost); <-r.out; synctest.Wait() }

// What is acknowledged behind a batch that failed is not handled again.
func TestYieldKeepsWhatIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(2000, 8)
		src := newTape(20)
		src.perRead = 10
		first := true
		seen := map[int]int{}
		r := newRig(t, src)
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Items[0] == 0 && first {
				first = false
				time.Sleep(time.Second)
				return errNo
			}
			r.locked(func() { seen[b.Items[0]]++ })
			b.Ack()
			return nil
		}, batch.Options[int]{Budget: budget, BatchBytes: 1000, ShardBytes: 2000, Concurrency: 2, Prefetch: -1}).start(1)
		h, h2 := hog(t, budget), hog(t, budget)
		time.Sleep(time.Minute)
		r.locked(func() {
			t.Log(len(src.opens), seen)
			if seen[10] != 1 {
				t.Errorf("the batch at 10 was acknowledged %d times, want once; %d opens", seen[10], len(src.opens))
			}
		})
		r.quit()
		h.quit()
		h2.quit()
	})
}

// A batch on its way to the dead letters is not handled again.
func TestYieldKeepsTheDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		src := newTape(10)
		src.perRead = 10
		var attempts []int
		dead := 0
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			attempts = append(attempts, b.Attempt)
			return errNo
		}, batch.Options[int]{Budget: budget, BatchBytes: 1000, Attempts: 2, OnError: wholly,
			DeadLetter: func(context.Context, *batch.Batch[int], batch.Failure) error {
				if dead++; dead < 4 {
					return errNo
				}
				return nil
			}}).start(1)
		h := hog(t, budget)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !slices.Equal(attempts, []int{1, 2}) {
			t.Errorf("the handler's attempts were %v with Attempts: 2", attempts)
		}
		r.quit()
		h.quit()
	})
}

// A batch that yielded its memory does not wait for the running read, which may wait for data.
func TestYieldedBatchIsReadAgainInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(2000, 8)
		src := newTape(10)
		src.perRead = 10
		waits(src, func(ctx context.Context) error { return src.arrival(ctx, time.Hour) })
		begin := time.Now()
		var at []time.Duration
		r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error {
			at = append(at, time.Since(begin))
			time.Sleep(time.Second)
			if len(at) == 1 {
				return errNo
			}
			return nil
		}, batch.Options[int]{Budget: budget, BatchBytes: 1000, ShardBytes: 2000}).start(1)
		_ = r
		h, h2 := hog(t, budget), hog(t, budget)
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		if len(at) < 2 || at[1] > 5*time.Second {
			t.Errorf("attempts at %v; the second was due after about 1.2 s", at)
		}
		r.quit()
		h.quit()
		h2.quit()
	})
}

// Other shards get the memory even if they come later, and even that of several batches.
func TestWaitingBatchesGiveWay(t *testing.T) {
	for _, c := range []struct {
		name string
		o    batch.Options[int]
		late time.Duration
	}{
		{name: "contended from the start", o: batch.Options[int]{}},
		{name: "contended later", o: batch.Options[int]{Retry: processor.Backoff{Min: time.Hour, Max: time.Hour}}, late: time.Minute},
		{name: "concurrency 2", o: batch.Options[int]{Concurrency: 2}},
	} {
		bubble(t, c.name, func(t *testing.T) {
			budget := batch.NewBudget(1000, 8)
			c.o.Budget, c.o.BatchBytes, c.o.ShardBytes, c.o.Prefetch = budget, 500, 1000, 1
			src := newTape(100)
			src.perRead, src.items = 5, true
			r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error {
				time.Sleep(time.Second)
				return errNo
			}, c.o).start(1)
			time.Sleep(c.late)
			h := hog(t, budget)
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			if n := len(h.got()); n == 0 {
				t.Errorf("another shard has handled nothing in 3 min, because of what waits for another attempt; free %d", budget.Free())
			}
			r.quit()
			h.quit()
		})
	}
}

// A claim that waits for a read, not for memory, makes no batch yield.
func TestOnlyMemoryMakesBatchesYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1<<30, 4)
		o := batch.Options[int]{Budget: budget}
		var idle []*rig
		for range 8 { // idle shards of a slow source
			src := newTape(0)
			src.delay = time.Second
			idle = append(idle, newRig(t, src).handle(nil, o).start(1))
		}
		time.Sleep(time.Minute)
		src := newTape(100)
		src.perRead = 10
		r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error { time.Sleep(time.Second); return errNo }, o).start(1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := src.count(func(t *tape) int { return len(t.opens) }); n != 1 {
			t.Errorf("opened %d times, %d reads, although %d of %d bytes are free", n, src.reads, budget.Free(), budget.Size())
		}
		r.quit()
		for _, i := range idle {
			i.quit()
		}
	})
}

type blind struct{ batch.Reader[int] }

func (blind) Position() processor.Position { return "" }
