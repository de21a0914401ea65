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

// These tests check what a bad batch means for the other batches of its shard.

// TestOthersGoOnBesideABadBatch: as many batches as Concurrency allows are handled while a bad one waits.
// They are committed when the bad one is.
func TestOthersGoOnBesideABadBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(60)
		src.perRead, src.closed = 10, true
		r := newRig(t, src)
		l := r.watch()
		var good atomic.Bool
		r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
			if good.Load() {
				l.ack(b.Items...)
				return nil
			}
			return l.handler(10, endings[0])(ctx, b)
		}, batch.Options[int]{Concurrency: 2, Prefetch: 2}).start(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		checkItems(t, "handled", r.got(), append(upTo(10), fromTo(20, 50)...))
		if got := r.store.last(); got != "10" {
			t.Errorf("stored %q, want 10", got)
		}
		if got := r.run.Status().Progress.Trouble; !errors.Is(got, errBad) {
			t.Errorf("the trouble is %v, want %v", got, errBad)
		}
		good.Store(true)
		if got := r.finish(); got != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", got)
		}
		if got := r.store.last(); got != "60" {
			t.Errorf("stored %q, want 60", got)
		}
		if st := r.run.Status(); st.Progress.Trouble != nil || st.Progress.Retries == 0 || st.Restarts != 0 {
			t.Errorf("the status is %+v", st)
		}
	})
}

// TestActionLetsOthersFinish: an action ends the shard or the worker while another batch is being handled.
// That batch is finished, and committed if it comes before the bad one.
func TestActionLetsOthersFinish(t *testing.T) {
	tests := []struct {
		name    string
		bad     int
		action  batch.Action
		stored  processor.Position
		outcome shardset.Outcome
	}{
		{"shard, the second", 10, batch.ActionHalt, "10", shardset.OutcomeReleased},
		{"shard, the first", 0, batch.ActionHalt, "", shardset.OutcomeReleased},
		{"group, the second", 10, batch.ActionFatal, "10", shardset.OutcomeFailed},
		{"group, the first", 0, batch.ActionFatal, "", shardset.OutcomeFailed},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(100)
			src.perRead = 10
			r := newRig(t, src)
			l := r.watch()
			r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
				time.Sleep(time.Second) // both are being handled
				if b.Items[0] != tt.bad {
					time.Sleep(10 * time.Second)
				}
				return l.handler(tt.bad, endings[0])(ctx, b)
			}, batch.Options[int]{Concurrency: 2, OnError: always(tt.action)}).start(1)
			time.Sleep(time.Minute)
			checkHalted(t, r, tt.outcome == shardset.OutcomeReleased)
			r.run.Revoke(processor.ErrRevoked)
			if got := r.finish(); got != tt.outcome {
				t.Errorf("the outcome is %v, want %v", got, tt.outcome)
			}
			checkItems(t, "handled", r.got(), fromTo(10-tt.bad, 20-tt.bad))
			if got := r.store.last(); got != tt.stored {
				t.Errorf("stored %q, want %q", got, tt.stored)
			}
		})
	}
}

// TestAHaltedShardIsLeftAlone: a halted shard reads nothing, handles nothing and holds no memory. The next
// owner gets the same batch.
func TestAHaltedShardIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead = 10
		r := newRig(t, src)
		l := r.watch()
		r.handle(l.handler(20, endings[0]), batch.Options[int]{Attempts: 1}).start(1)
		time.Sleep(time.Minute)
		checkHalted(t, r, true)
		checkFull(t, r.budget, batch.DefaultReads)
		reads := src.count(func(t *tape) int { return t.reads })
		time.Sleep(time.Hour)
		if got := src.count(func(t *tape) int { return t.reads }); got != reads {
			t.Errorf("%d reads of a halted shard", got-reads)
		}
		if open, alive := src.count(func(t *tape) int { return t.open }), src.count(func(t *tape) int { return t.alive }); open+alive != 0 {
			t.Errorf("a halted shard has %d readers and %d chunks", open, alive)
		}
		if got := r.store.last(); got != "20" {
			t.Errorf("stored %q, want 20", got)
		}
		r.run.Revoke(processor.ErrRevoked)
		if got := r.finish(); got != shardset.OutcomeReleased {
			t.Errorf("the outcome is %v, want released", got)
		}

		src.set(func(t *tape) { t.closed = true })
		next := r.heir().handle(nil, batch.Options[int]{}).start(2)
		next.finish()
		checkItems(t, "the next owner handled", next.got(), fromTo(20, 100))
	})
}

// TestAHaltedShardDoesNotWaitForARead: the halt cancels the running read.
func TestAHaltedShardDoesNotWaitForARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead = 10
		src.onRead = func(ctx context.Context) {
			if src.count(func(t *tape) int { return t.reads }) > 1 {
				untilOver(ctx)
			}
		}
		r := newRig(t, src)
		r.handle(func(context.Context, *batch.Batch[int]) error { time.Sleep(time.Second); return errBad },
			batch.Options[int]{Attempts: 1}).start(1)
		time.Sleep(time.Second)
		checkHalted(t, r, true)
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
	})
}

// TestAHaltedShardsLastCommitIsBounded: the store is down, and the halt is visible soon all the same.
func TestAHaltedShardsLastCommitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead = 10
		r := newRig(t, src)
		l := r.watch()
		tries := r.store.failing(-1)
		r.handle(l.handler(20, endings[0]), batch.Options[int]{CommitInterval: never, Attempts: 1}).start(1)
		time.Sleep(10 * time.Second)
		checkHalted(t, r, true)
		if got := tries(); got != 5 {
			t.Errorf("the store was tried %d times, want 5", got)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
	})
}

// TestEachAttemptIsCounted checks the fields of a Batch over several attempts.
func TestEachAttemptIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(20)
		src.perRead, src.closed = 10, true
		r := newRig(t, src)
		var attempts []int
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			attempts = append(attempts, b.Attempt)
			if b.From != position(b.Items[0]) || b.Bytes != 1000 || b.ID() != testShard || b.Lease().Epoch != 6 || b.Check() != nil {
				t.Errorf("the batch is %+v", b)
			}
			if b.Attempt < 3 {
				return errBad
			}
			return nil
		}, batch.Options[int]{}).start(6)
		r.finish()
		if want := []int{1, 2, 3, 1, 2, 3}; !slices.Equal(attempts, want) {
			t.Errorf("the attempts are %v, want %v", attempts, want)
		}
		if got := r.run.Status().Progress; got.Trouble != nil || got.Retries != 4 || got.Items != 20 {
			t.Errorf("the progress is %+v, want no trouble after 4 retries", got)
		}
	})
}
