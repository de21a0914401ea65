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

// TestAckIsForGood: the handler acknowledges its batch and then fails, in each way. It does not get the
// batch again.
func TestAckIsForGood(t *testing.T) {
	for _, e := range endings {
		if e.name == "hangs" || e.name == "gives up with nil" {
			continue // until the shard is revoked: see TestAckBeforeTheDrainTimeoutCounts
		}
		bubble(t, e.name, func(t *testing.T) {
			src := newTape(50)
			src.perRead, src.closed = 10, true
			r := newRig(t, src)
			l := r.watch()
			r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
				l.saw(b.Items...)
				l.ack(b.Items...)
				b.Ack()
				return e.end(ctx, b)
			}, batch.Options[int]{Timeout: e.timeout}).start(1)
			if got := r.finish(); got != shardset.OutcomeClosed {
				t.Errorf("the outcome is %v, want ended", got)
			}
			checkItems(t, "handled", l.given(), upTo(50))
			if got := r.run.Status().Progress; got.Items != 50 || got.Batches != 5 || got.Retries != 0 {
				t.Errorf("the progress is %+v", got)
			}
		})
	}
}

// TestAckBeforeTheDrainTimeoutCounts: the handler acknowledges its batch and then runs longer than the
// drain timeout. The batch is committed before the handler returns.
func TestAckBeforeTheDrainTimeoutCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(50)
		src.perRead = 10
		r := newRig(t, src)
		l := r.watch()
		r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
			l.ack(b.Items...)
			b.Ack()
			<-ctx.Done()
			return ctx.Err()
		}, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		r.run.Revoke(processor.ErrRevoked)
		time.Sleep(30 * time.Second)
		r.run.Cancel(processor.ErrRevoked)
		if got := r.finish(); got != shardset.OutcomeReleased {
			t.Errorf("the outcome is %v, want released", got)
		}
		if got := r.store.last(); got != "10" {
			t.Errorf("committed %q, want 10", got)
		}
	})
}

// partly acknowledges items of its only batch, the numbers before ten, and fails; at
// the second attempt it handles what is left.
type partly struct {
	name      string
	positions bool // of each item
	ack       []int
	committed processor.Position // while the rest waits for the second attempt
}

func TestOnlyWhatIsLeftComesAgain(t *testing.T) {
	tests := []partly{
		{"nothing", true, nil, ""},
		{"the first ones", true, []int{0, 1, 2}, "3"},
		{"the first ones, backwards", true, []int{2, 1, 0}, "3"},
		{"twice the same", true, []int{0, 0, 1, 1}, "2"},
		{"as often the same as there are items", true, slices.Repeat([]int{0}, 10), "1"},
		{"some", true, []int{0, 1, 4, 9}, "2"},
		{"not the first one", true, []int{1, 2, 3}, ""},
		{"all but one", true, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, "9"},
		{"the first ones, without positions", false, []int{0, 1, 2}, ""},
		{"some, without positions", false, []int{0, 5, 9}, ""},
	}
	for _, tt := range tests {
		for _, e := range endings {
			bubble(t, tt.name+"/"+e.name, func(t *testing.T) { tryPartly(t, tt, e) })
		}
	}
}

func tryPartly(t *testing.T, tt partly, e ending) {
	src := newTape(10)
	src.items = tt.positions
	r := newRig(t, src)
	l := r.watch()
	var again [][]int
	r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
		if b.Attempt > 1 {
			again = append(again, b.Items)
			l.ack(b.Items...)
			return nil
		}
		for _, i := range tt.ack {
			l.ack(b.Items[i])
			b.AckItem(i)
		}
		return e.end(ctx, b)
	}, batch.Options[int]{
		Timeout: e.timeout, CommitInterval: time.Second,
		Retry: processor.Backoff{Min: time.Minute, Max: time.Minute},
	}).start(1)
	time.Sleep(10 * time.Second)
	if got := r.store.last(); got != tt.committed {
		t.Errorf("after the first attempt %q is committed, want %q", got, tt.committed)
	}
	time.Sleep(5 * time.Minute)
	hangs := e.timeout == 0 && (e.name == "hangs" || e.name == "gives up with nil")
	r.run.Revoke(processor.ErrRevoked)
	if hangs {
		r.run.Cancel(processor.ErrRevoked)
	}
	r.finish()
	if hangs {
		return
	}
	left := slices.DeleteFunc(upTo(10), func(n int) bool { return slices.Contains(tt.ack, n) })
	if len(again) != 1 || !slices.Equal(again[0], left) {
		t.Errorf("the second attempt had %v, want %v", again, left)
	}
	if got := r.store.last(); got != "10" {
		t.Errorf("in the end %q is committed, want 10", got)
	}
}

// TestAckItemByItemIsACompleteBatch acknowledges all items one by one, and then fails.
func TestAckItemByItemIsACompleteBatch(t *testing.T) {
	for _, e := range []ending{endings[0], endings[1], endings[2]} {
		bubble(t, e.name, func(t *testing.T) {
			src := newTape(30)
			src.perRead, src.closed = 10, true
			r := newRig(t, src)
			l := r.watch()
			r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
				l.saw(b.Items...)
				l.ack(b.Items...)
				for i := range b.Items {
					b.AckItem(len(b.Items) - 1 - i)
				}
				return e.end(ctx, b)
			}, batch.Options[int]{}).start(1)
			if got := r.finish(); got != shardset.OutcomeClosed {
				t.Errorf("the outcome is %v, want ended", got)
			}
			checkItems(t, "handled", l.given(), upTo(30))
		})
	}
}

// TestLateAckDoesNothing: an acknowledgement after the handler has returned does nothing. The batch
// may have failed, and be in the next attempt.
func TestLateAckDoesNothing(t *testing.T) {
	for _, e := range []ending{endings[0], endings[1], endings[2], endings[6]} {
		bubble(t, e.name, func(t *testing.T) {
			src := newTape(10)
			src.items = true
			r := newRig(t, src)
			r.watch()
			r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
				go func() {
					time.Sleep(10 * time.Second)
					b.AckItem(0)
					b.Ack()
				}()
				return e.end(ctx, b)
			}, batch.Options[int]{Timeout: e.timeout, Retry: processor.Backoff{Min: time.Hour, Max: time.Hour}}).start(1)
			time.Sleep(time.Minute)
			r.run.Revoke(processor.ErrRevoked)
			r.finish()
			if got := r.store.last(); got != "" {
				t.Errorf("committed %q, want nothing", got)
			}
		})
	}
}

// TestAckItemOfNothingPanics: AckItem panics if there is no such item. The panic fails the batch, as any
// other does.
func TestAckItemOfNothingPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		r := newRig(t, src)
		r.watch()
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			b.AckItem(10)
			return nil
		}, batch.Options[int]{Attempts: 1}).start(1)
		time.Sleep(time.Second)
		if !r.run.Status().Halted {
			t.Error("the run is not halted")
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
	})
}

// TestAckFromOtherGoroutines acknowledges items from several goroutines. The handler waits for some
// of them.
func TestAckFromOtherGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(1000)
		src.items, src.closed, src.perRead = true, true, 100
		r := newRig(t, src)
		l := r.watch()
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			done := make(chan struct{})
			for w := range 4 {
				go func() {
					for i := w; i < len(b.Items); i += 4 {
						l.ack(b.Items[i])
						b.AckItem(i)
						runtime.Gosched()
					}
					done <- struct{}{}
				}()
			}
			for range 4 {
				<-done
			}
			return errBad
		}, batch.Options[int]{}).start(1)
		if got := r.finish(); got != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", got)
		}
		if got := r.store.last(); got != "1000" {
			t.Errorf("committed %q, want 1000", got)
		}
	})
}
