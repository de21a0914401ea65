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

// The position where Latest opened a shard is committed even if the first read takes long, so that the
// next owner reads what comes meanwhile.
func TestLatestIsCommittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.delay = 10 * time.Second // the first read is slow, or waits for the budget
		r := newRig(t, src).handle(nil, batch.Options[int]{Initial: batch.Latest()}).start(1)
		time.Sleep(time.Second)
		t.Logf("1s after opening at the end, stored %q", r.store.last())
		src.add(10)
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
		next := r.heir()
		src.set(func(t *tape) { t.delay = 0 })
		next.handle(nil, batch.Options[int]{Initial: batch.Latest()}).start(2)
		time.Sleep(time.Minute)
		if got := next.got(); len(got) != 10 {
			t.Errorf("the 10 items that came after the shard was opened at its end: handled %v; opened at %+v", got, src.opens)
		}
		next.quit()
	})
}

// The same, if the first read waits for the budget.
func TestLatestWaitingForBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		full := newTape(10)
		h := newRig(t, full).handle(func(ctx context.Context, _ *batch.Batch[int]) error { <-ctx.Done(); return ctx.Err() }, batch.Options[int]{Budget: budget}).start(1)
		src := newTape(100)
		r := newRig(t, src).handle(nil, batch.Options[int]{Initial: batch.Latest(), Budget: budget}).start(1)
		time.Sleep(time.Hour)
		if r.store.last() != "100" {
			t.Errorf("an hour after opening at the end, stored %q, want 100; opens %v", r.store.last(), src.opens)
		}
		r.quit()
		h.quit()
	})
}

type wrapped struct {
	batch.Reader[int]
	read func(c batch.Chunk[int]) batch.Chunk[int]
}

func (w wrapped) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	c, err := w.Reader.Read(ctx, l)
	return w.read(c), err
}

// After is called before Release gives the buffer back.
func TestAfterIsNotCalledAfterRelease(t *testing.T) {
	for name, end := range map[string]func(r *rig) error{
		"halted":  func(*rig) error { return processor.Halt(errNo) },
		"revoked": func(r *rig) error { r.run.Revoke(processor.ErrRevoked); time.Sleep(time.Millisecond); return errNo },
	} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(20)
			src.perRead, src.items = 10, true
			src.wrap = func(r batch.Reader[int]) batch.Reader[int] {
				return wrapped{r, func(c batch.Chunk[int]) batch.Chunk[int] {
					buf := slices.Clone(c.Items) // the pooled buffer in which the items live
					c.Items = buf
					c.After = func(i int) processor.Position { return position(buf[i] + 1) }
					release := c.Release
					c.Release = func() {
						release()
						for i := range buf {
							buf[i] = 900 + i // another shard's data
						}
					}
					return c
				}}
			}
			r := newRig(t, src)
			r.handle(func(_ context.Context, b *batch.Batch[int]) error {
				b.AckTo(3)
				return end(r)
			}, batch.Options[int]{Prefetch: -1}).start(1)
			time.Sleep(time.Minute)
			r.run.Revoke(processor.ErrRevoked)
			r.finish()
			if r.store.last() != "3" {
				t.Errorf("3 items are acknowledged; committed %v", r.store.committed())
			}
		})
	}
}

// A reader that does not know its position is opened after the gap again, not where shards without a
// checkpoint begin.
func TestAGapIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.begin = 50
		src.wrap = func(r batch.Reader[int]) batch.Reader[int] { return blind{r} }
		first := true
		src.onRead = func(context.Context) {
			if first {
				first = false
				panic("once")
			}
		}
		r := newRig(t, src)
		r.resumeAt("10")
		r.handle(nil, batch.Options[int]{Initial: batch.Latest(), Expired: batch.Earliest()}).start(2)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.got(); len(got) != 50 {
			t.Errorf("handled %v, want 50 to 99; gaps %+v; opens %+v", got, r.gaps(), src.opens)
		}
		r.quit()
	})
}
