package batch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// In these tests a slow handler acknowledges single items. They are committed before it returns;
// otherwise a crash would cost all of them.

func TestItemsAreCommittedWhileTheHandlerWorks(t *testing.T) {
	tests := []struct {
		name    string
		options batch.Options[int]
		want    processor.Position // after the fifth item
	}{
		{"in time", batch.Options[int]{CommitInterval: 25 * time.Second}, "3"},
		{"by number", batch.Options[int]{CommitInterval: never, CommitItems: 3}, "3"},
		{"not yet", batch.Options[int]{CommitInterval: never}, ""},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(100)
			src.perRead, src.items = 10, true
			r := newRig(t, src)
			l := r.watch()
			r.handle(func(_ context.Context, b *batch.Batch[int]) error {
				for i, n := range b.Items {
					time.Sleep(10 * time.Second)
					l.ack(n)
					b.AckItem(i)
				}
				return nil
			}, tt.options).start(1)
			time.Sleep(55 * time.Second)
			synctest.Wait()
			if got := r.store.last(); got != tt.want {
				t.Errorf("committed %q, want %q", got, tt.want)
			}
			r.run.Cancel(processor.ErrLeaseLost)
			r.finish()
		})
	}
}

func TestAckIsCommittedWhileTheHandlerWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead = 10
		r := newRig(t, src)
		l := r.watch()
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			time.Sleep(time.Minute) // until everything else is quiet
			l.ack(b.Items...)
			b.Ack()
			time.Sleep(time.Hour)
			return nil
		}, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute + batch.DefaultCommitInterval)
		synctest.Wait()
		if got := r.store.last(); got != "10" {
			t.Errorf("committed %q, want 10", got)
		}
		r.run.Cancel(processor.ErrLeaseLost)
		r.finish()
	})
}

// TestItemsAreCommittedWhileDraining: the handler acknowledges single items after the shard was revoked,
// until the drain timeout. The next owner begins after the last of them.
func TestItemsAreCommittedWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.items = true
		r := newRig(t, src)
		l := r.watch()
		r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
			for i, n := range b.Items {
				select {
				case <-time.After(10 * time.Second):
				case <-ctx.Done():
					return ctx.Err()
				}
				l.ack(n)
				b.AckItem(i)
			}
			return nil
		}, batch.Options[int]{}).start(1)
		time.Sleep(5 * time.Second)
		r.run.Revoke(processor.ErrRevoked)
		time.Sleep(30 * time.Second)
		r.run.Cancel(processor.ErrRevoked)
		if got := r.finish(); got != shardset.OutcomeReleased {
			t.Errorf("the outcome is %v, want released", got)
		}
		if got := r.store.last(); got != "3" {
			t.Errorf("committed %q, want 3", got)
		}
	})
}
