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

// poller is a reader that can wait for data.
type poller struct {
	batch.Reader[int]
	wait func(ctx context.Context) error
}

func (p poller) Wait(ctx context.Context) error { return p.wait(ctx) }

// waits has the tape's readers wait with f.
func waits(t *tape, f func(ctx context.Context) error) {
	t.wrap = func(r batch.Reader[int]) batch.Reader[int] { return poller{r, f} }
}

// arrival waits until items come, or for the longest time of a poll.
func (t *tape) arrival(ctx context.Context, longest time.Duration) error {
	t.mu.Lock()
	arrive := t.arrive
	t.mu.Unlock()
	select {
	case <-arrive:
		return nil
	case <-time.After(longest):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestASourceThatCanWaitIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.perRead = 4
		waiting := 0
		waits(src, func(ctx context.Context) error {
			waiting++
			return src.arrival(ctx, 20*time.Second)
		})
		var worst time.Duration
		added := time.Now()
		budget := batch.NewBudget(1000, 1)
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			worst = max(worst, time.Since(added))
			return nil
		}, batch.Options[int]{Budget: budget}).start(1)
		if waiting != 1 || src.readCount() != 3 {
			t.Errorf("after %d reads it was awaited %d times; want 3 reads, as long as there was more, and then once", src.readCount(), waiting)
		}
		if budget.Free() != 1000 || budget.FreeReads() != 1 {
			t.Errorf("while it waits, %d bytes and %d reads are free, want all", budget.Free(), budget.FreeReads())
		}
		for range 100 {
			time.Sleep(7 * time.Second)
			synctest.Wait()
			added = time.Now()
			src.add(1)
			synctest.Wait()
		}
		if got := r.got(); !slices.Equal(got, upTo(110)) || worst != 0 {
			t.Errorf("handled %v, after %v at worst; want at once", got, worst)
		}
		before := src.readCount()
		time.Sleep(10 * time.Minute)
		if n := src.readCount() - before; n < 29 || n > 31 {
			t.Errorf("an idle shard was read %d times in 10 minutes of polls of 20 s, want 30", n)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish() // a poll is ended by a revocation
		if p := r.store.last(); p != "110" {
			t.Errorf("committed %q, want 110", p)
		}
	})
}

// A Waiter that does not wait is paced like a source that cannot.
func TestAWaiterThatReturnsAtOnceDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		waits(src, func(context.Context) error { return nil })
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		before := src.readCount()
		time.Sleep(time.Minute)
		if n := src.readCount() - before; n < 50 || n > 80 {
			t.Errorf("an idle shard was read %d times in a minute, want 60 or so", n)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// What was fetched while waiting is handled without another pause.
func TestDataThatEndsAWaitIsReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(0)
		waits(src, func(ctx context.Context) error { return src.arrival(ctx, time.Hour) })
		at := readTimes(src)
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		time.Sleep(10 * time.Minute)
		added := time.Now()
		src.add(1)
		synctest.Wait()
		if last := (*at)[len(*at)-1]; !last.Equal(added) {
			t.Errorf("read %v after it came", last.Sub(added))
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

func TestAWaitThatFailsBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(5)
		waiting := 0
		waits(src, func(context.Context) error {
			waiting++
			return errLine
		})
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if waiting < 40 || waiting > 140 {
			t.Errorf("a poll that fails was made %d times in 10 minutes, want one in 10 s or so", waiting)
		}
		if p := r.store.last(); p != "5" {
			t.Errorf("committed %q, want 5", p)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// As long as there is no room for a batch, nothing is awaited either.
func TestNothingIsAwaitedWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(1)
		waiting := 0
		waits(src, func(ctx context.Context) error {
			waiting++
			return src.arrival(ctx, time.Second)
		})
		r := newRig(t, src).handle(stuck, batch.Options[int]{Prefetch: -1}).start(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if waiting != 0 {
			t.Errorf("awaited %d times while there is no room", waiting)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}
