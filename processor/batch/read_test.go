package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// stuck is a handler that does not end before the run does.
func stuck(ctx context.Context, _ *batch.Batch[int]) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// readCount is how many reads have begun.
func (t *tape) readCount() int { return t.count(func(t *tape) int { return t.reads }) }

// size is how many items there are.
func (t *tape) size() int { return t.count(func(t *tape) int { return t.end }) }

// endWith ends a run that would go on, and checks that it leaves nothing.
func (r *rig) endWith(cause error) {
	r.t.Helper()
	r.run.Cancel(cause)
	if o, want := r.finish(), outcomeOf(cause); o != want {
		r.t.Errorf("the outcome is %v, want %v", o, want)
	}
}

// outcomeOf is how a run ends that is stopped with a cause.
func outcomeOf(cause error) shardset.Outcome {
	if errors.Is(cause, processor.ErrLeaseLost) {
		return shardset.OutcomeLost
	}
	return shardset.OutcomeReleased
}

func TestReadsAsFarAheadAsAllowed(t *testing.T) {
	for _, c := range []struct{ prefetch, concurrency, want int }{
		{prefetch: -1, concurrency: 1, want: 1},
		{prefetch: 0, concurrency: 1, want: 1 + batch.DefaultPrefetch},
		{prefetch: 1, concurrency: 1, want: 2},
		{prefetch: 7, concurrency: 1, want: 8},
		{prefetch: -1, concurrency: 3, want: 3},
		{prefetch: 2, concurrency: 4, want: 6},
	} {
		t.Run(fmt.Sprintf("prefetch %d, concurrency %d", c.prefetch, c.concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(100)
				tape.perRead = 1
				r := newRig(t, tape).handle(stuck, batch.Options[int]{Prefetch: c.prefetch, Concurrency: c.concurrency}).start(1)
				time.Sleep(time.Minute)
				if reads := tape.readCount(); reads != c.want {
					t.Errorf("%d batches were read while none was handled, want %d", reads, c.want)
				}
				r.endWith(processor.ErrLeaseLost)
			})
		})
	}
}

// What a slow batch is done with makes room for exactly one more.
func TestEachHandledBatchMakesRoomForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(100)
		tape.perRead = 1
		step := make(chan bool)
		r := newRig(t, tape).handle(func(context.Context, *batch.Batch[int]) error {
			<-step
			return nil
		}, batch.Options[int]{}).start(1)
		for n := range 10 {
			time.Sleep(time.Minute)
			if reads, want := tape.readCount(), n+1+batch.DefaultPrefetch; reads != want {
				t.Errorf("%d batches were read when %d were handled, want %d", reads, n, want)
			}
			step <- true
		}
		close(step)
		r.endWith(processor.ErrLeaseLost)
	})
}

func TestReadsWhileHandling(t *testing.T) {
	for _, c := range []struct {
		prefetch int
		want     time.Duration
	}{
		{prefetch: -1, want: 2000 * time.Millisecond},
		{prefetch: 0, want: 1010 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			tape := newTape(100)
			tape.perRead, tape.delay, tape.closed = 1, 10*time.Millisecond, true
			begin := time.Now()
			r := newRig(t, tape).handle(func(context.Context, *batch.Batch[int]) error {
				time.Sleep(10 * time.Millisecond)
				return nil
			}, batch.Options[int]{Prefetch: c.prefetch}).start(1)
			r.finish()
			if took := time.Since(begin); took != c.want {
				t.Errorf("prefetch %d: 100 batches of 10 ms to read and 10 ms to handle took %v, want %v", c.prefetch, took, c.want)
			}
			if got := r.got(); !slices.Equal(got, upTo(100)) {
				t.Errorf("prefetch %d: handled %v", c.prefetch, got)
			}
		})
	}
}

// limits is a reader that notes what it is asked for.
type limits struct {
	batch.Reader[int]
	seen *[]batch.Limit
}

func (r limits) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	*r.seen = append(*r.seen, l)
	return r.Reader.Read(ctx, l)
}

func TestReadsAreBoundedInBytesAndItems(t *testing.T) {
	for _, c := range []struct {
		name   string
		budget int64
		o      batch.Options[int]
		want   batch.Limit
	}{
		{"by default", 64 << 20, batch.Options[int]{}, batch.Limit{Bytes: batch.DefaultBatchBytes, Items: batch.DefaultBatchItems}},
		{"as set", 64 << 20, batch.Options[int]{BatchBytes: 700, BatchItems: 3}, batch.Limit{Bytes: 700, Items: 3}},
		{"by the share of a shard", 64 << 20, batch.Options[int]{ShardBytes: 500}, batch.Limit{Bytes: 500, Items: batch.DefaultBatchItems}},
		{"by the budget", 900, batch.Options[int]{}, batch.Limit{Bytes: 900, Items: batch.DefaultBatchItems}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(50)
				tape.closed = true
				var seen []batch.Limit
				tape.wrap = func(r batch.Reader[int]) batch.Reader[int] { return limits{r, &seen} }
				c.o.Budget = batch.NewBudget(c.budget, 2)
				r := newRig(t, tape).handle(nil, c.o).start(1)
				r.finish()
				for _, l := range seen {
					if l != c.want {
						t.Errorf("a read was bounded by %+v, want %+v", l, c.want)
					}
				}
				if got := r.got(); !slices.Equal(got, upTo(50)) {
					t.Errorf("handled %v", got)
				}
			})
		})
	}
}

// A source that asks for a pause gets it, even while it has more.
func TestAPauseThatTheSourceAsksForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(60)
		tape.perRead, tape.pause, tape.closed = 1, 3*time.Second, true
		var at []time.Time
		tape.onRead = func(context.Context) { at = append(at, time.Now()) }
		r := newRig(t, tape).handle(nil, batch.Options[int]{}).start(1)
		r.finish()
		for i := 1; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d != 3*time.Second {
				t.Errorf("read %d came %v after the one before, want 3s", i, d)
			}
		}
		if got := r.got(); !slices.Equal(got, upTo(60)) {
			t.Errorf("handled %v", got)
		}
	})
}
