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
)

// TestHandleItemsBoundsACall: a read is handled in parts, in order. The size of reads does not change.
func TestHandleItemsBoundsACall(t *testing.T) {
	tests := []struct {
		items int
		key   func(int) string
		sizes []int
	}{
		{0, nil, []int{10, 10, 10}},
		{1, nil, slices.Repeat([]int{1}, 30)},
		{4, nil, []int{4, 4, 2, 4, 4, 2, 4, 4, 2}},
		{10, nil, []int{10, 10, 10}},
		{11, nil, []int{10, 10, 10}},
		{4, tens, []int{4, 4, 2, 4, 4, 2, 4, 4, 2}},
	}
	for _, tt := range tests {
		bubble(t, fmt.Sprintf("%d/key %v", tt.items, tt.key != nil), func(t *testing.T) {
			src := newTape(30)
			src.perRead, src.closed = 10, true
			r := newRig(t, src)
			var sizes []int
			r.handle(func(_ context.Context, b *batch.Batch[int]) error {
				sizes = append(sizes, len(b.Items))
				if from := number(b.From); b.Items[0] < from || b.Items[0] >= from+10 || b.Next != position(from+10) {
					t.Errorf("the batch from %q to %q begins with %d", b.From, b.Next, b.Items[0])
				}
				return nil
			}, batch.Options[int]{HandleItems: tt.items, Key: tt.key}).start(1)
			if got := r.finish(); got != ended {
				t.Errorf("the outcome is %v, want ended", got)
			}
			if !slices.Equal(sizes, tt.sizes) {
				t.Errorf("the handler was given %v items, want %v", sizes, tt.sizes)
			}
			checkItems(t, "handled", r.got(), upTo(30))
			if got := src.count(func(t *tape) int { return t.reads }); got != 3 {
				t.Errorf("%d reads, want 3", got)
			}
			if st := r.run.Status(); st.Progress.Items != 30 || st.Progress.Bytes != 3000 || r.store.last() != "30" {
				t.Errorf("the progress is %+v, and %q is stored", st.Progress, r.store.last())
			}
		})
	}
}

// TestPartsOfAReadAreHandledTogether: as many parts of a read as Concurrency allows are handled at a time.
func TestPartsOfAReadAreHandledTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(40)
		src.closed, src.items = true, true
		r := newRig(t, src)
		now, most := 0, 0
		begin := time.Now()
		r.handle(func(context.Context, *batch.Batch[int]) error {
			r.locked(func() { now++; most = max(most, now) })
			time.Sleep(time.Second)
			r.locked(func() { now-- })
			return nil
		}, batch.Options[int]{HandleItems: 5, Concurrency: 4}).start(1)
		r.finish()
		if took := time.Since(begin); took != 2*time.Second || most != 4 {
			t.Errorf("8 parts of 1 s took %v, %d at a time; want 2 s, 4 at a time", took, most)
		}
	})
}

// TestCommitsInsideARead: if the source has a position for each item, a part is committed; otherwise only
// the whole read. The drain waits for one part.
func TestCommitsInsideARead(t *testing.T) {
	for _, items := range []bool{true, false} {
		for _, cause := range []error{processor.ErrRevoked, processor.ErrShutdown} {
			bubble(t, fmt.Sprintf("%v/%v", items, cause), func(t *testing.T) {
				src := newTape(100)
				src.perRead, src.items = 50, items
				r := newRig(t, src)
				l := r.watch()
				r.handle(func(_ context.Context, b *batch.Batch[int]) error {
					time.Sleep(time.Second)
					l.ack(b.Items...)
					return nil
				}, batch.Options[int]{HandleItems: 10}).start(1)
				time.Sleep(7500 * time.Millisecond)
				r.run.Revoke(cause)
				begin := time.Now()
				if got := r.finish(); got != released || time.Since(begin) > time.Second {
					t.Errorf("the outcome is %v after %v", got, time.Since(begin))
				}
				want := processor.Position("50")
				if items {
					want = "80"
				}
				if got := r.store.last(); got != want {
					t.Errorf("stored %q, want %q", got, want)
				}
			})
		}
	}
}

// TestYieldedPart: a part releases its memory for other shards. Its attempts are counted on.
func TestYieldedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		src := newTape(30)
		src.perRead, src.closed = 10, true
		var attempts []int
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Items[0] == 0 {
				if attempts = append(attempts, b.Attempt); b.Attempt < 20 {
					return errors.New("no")
				}
			}
			return nil
		}, batch.Options[int]{Budget: budget, BatchBytes: 1000, HandleItems: 4}).start(1)
		h := hog(t, budget)
		time.Sleep(time.Minute)
		if n := len(h.got()); n == 0 {
			t.Error("another shard has handled nothing in a minute, because of what waits for another attempt")
		}
		if got := r.finish(); got != ended {
			t.Errorf("the outcome is %v, want ended", got)
		}
		if !slices.Equal(attempts, upTo(21)[1:]) {
			t.Errorf("the attempts were %v, want 1 to 20", attempts)
		}
		checkItems(t, "handled", r.got(), upTo(30))
		h.quit()
	})
}

// TestYieldedDividedBatch: a divided batch releases its memory for other shards. An item that has failed
// alone is not tried together with others again.
func TestYieldedDividedBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		src := newTape(10)
		src.perRead, src.closed = 10, true
		var sizes []int
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Items[0] == 0 {
				sizes = append(sizes, len(b.Items))
				return errBad
			}
			return nil
		}, batch.Options[int]{Budget: budget, BatchBytes: 1000, Attempts: 5, DeadLetter: taken}).start(1)
		h := hog(t, budget)
		if got := r.finish(); got != ended {
			t.Errorf("the outcome is %v, want ended", got)
		}
		if want := []int{10, 10, 10, 10, 10, 3, 1, 1, 1, 1, 1}; !slices.Equal(sizes, want) {
			t.Errorf("the handler was given %v items from the bad one on, want %v", sizes, want)
		}
		if opens := src.count(func(t *tape) int { return len(t.opens) }); opens < 2 {
			t.Errorf("opened %d times: no batch yielded", opens)
		}
		checkItems(t, "handled", r.got(), fromTo(1, 10))
		h.quit()
	})
}

// TestYieldKeepsWhatIsBeingHandled: the batch beside the one that waits is being handled.
func TestYieldKeepsWhatIsBeingHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		src := newTape(8)
		src.perRead, src.closed = 8, true
		r := newRig(t, src)
		second := 0
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Items[0] == 4 {
				r.locked(func() { second++ })
				time.Sleep(10 * time.Second)
				return nil
			}
			if b.Attempt < 10 {
				return errNo
			}
			return nil
		}, batch.Options[int]{Budget: budget, BatchBytes: 1000, HandleItems: 4, Concurrency: 2,
			Retry: processor.Backoff{Min: time.Second, Max: time.Second}}).start(1)
		h := hog(t, budget)
		if got := r.finish(); got != ended || second != 1 {
			t.Errorf("the outcome is %v, and the second part was handled %d times, want ended and once", got, second)
		}
		h.quit()
	})
}
