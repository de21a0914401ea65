package batch_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestOnErrorIsNotAsked: OnError is not called for an attempt that was cancelled, for one that has
// acknowledged its batch, and for an error made with Halt or Fatal. In these tests OnError would end the
// worker.
func TestOnErrorIsNotAsked(t *testing.T) {
	tests := []struct {
		name    string
		handle  func(context.Context, *batch.Batch[int]) error
		outcome shardset.Outcome
	}{
		{"called off", func(ctx context.Context, _ *batch.Batch[int]) error { untilOver(ctx); return ctx.Err() }, shardset.OutcomeReleased},
		{"called off, with an error of its own", func(ctx context.Context, _ *batch.Batch[int]) error { untilOver(ctx); return errBad }, shardset.OutcomeReleased},
		{"called off, with nil", func(ctx context.Context, _ *batch.Batch[int]) error { untilOver(ctx); return nil }, shardset.OutcomeReleased},
		{"called off, with a panic", func(ctx context.Context, _ *batch.Batch[int]) error { untilOver(ctx); panic(errBad) }, shardset.OutcomeReleased},
		{"acknowledged", func(_ context.Context, b *batch.Batch[int]) error { b.Ack(); return errBad }, shardset.OutcomeReleased},
		{"halt", func(context.Context, *batch.Batch[int]) error { return halt() }, shardset.OutcomeReleased},
		{"fatal", func(context.Context, *batch.Batch[int]) error { return fatal() }, shardset.OutcomeFailed},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(10)
			r := newRig(t, src).handle(tt.handle, batch.Options[int]{
				OnError: func(_ context.Context, f batch.Failure) batch.Action {
					t.Errorf("OnError is asked about %v", f.Err)
					return batch.ActionFatal
				},
			}).start(1)
			time.Sleep(time.Minute)
			r.run.Revoke(processor.ErrRevoked)
			time.Sleep(drain)
			r.run.Cancel(processor.ErrRevoked)
			if got := r.finish(); got != tt.outcome {
				t.Errorf("the outcome is %v, want %v", got, tt.outcome)
			}
		})
	}
}

// TestActionForACancelledBatchIsVoid: the shard is lost while OnError runs. Its action has no effect;
// ActionSkip would lose the batch.
func TestActionForACancelledBatchIsVoid(t *testing.T) {
	for _, v := range []batch.Action{batch.ActionSkip, batch.ActionHalt, batch.ActionFatal, batch.ActionDeadLetter} {
		bubble(t, v.String(), func(t *testing.T) {
			src := newTape(10)
			r := newRig(t, src)
			r.watch()
			r.handle(func(context.Context, *batch.Batch[int]) error { return errBad }, batch.Options[int]{
				OnError: func(ctx context.Context, _ batch.Failure) batch.Action { untilOver(ctx); return v },
				DeadLetter: func(context.Context, *batch.Batch[int], batch.Failure) error {
					t.Error("the batch goes to the dead letters")
					return nil
				},
			}).start(1)
			r.run.Revoke(processor.ErrRevoked)
			time.Sleep(drain)
			r.run.Cancel(processor.ErrRevoked)
			if got := r.finish(); got != shardset.OutcomeReleased {
				t.Errorf("the outcome is %v, want released", got)
			}
			if got := len(r.poison()); got != 0 || r.run.Fatal() != nil {
				t.Errorf("%d were counted as poison, want none; fatal is %v", got, r.run.Fatal())
			}
		})
	}
}

// TestActionOutlivesTheShard: ActionFatal ends the worker even if the shard is lost before its other batch
// is finished.
func TestActionOutlivesTheShard(t *testing.T) {
	bubble(t, "stop group", func(t *testing.T) {
		src := newTape(50)
		src.perRead = 10
		r := newRig(t, src)
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			time.Sleep(time.Second)
			if b.Items[0] == 0 {
				return fatal()
			}
			time.Sleep(10 * time.Second)
			return nil
		}, batch.Options[int]{Concurrency: 2}).start(1)
		time.Sleep(5 * time.Second)
		r.run.Cancel(processor.ErrLeaseLost)
		if got := r.finish(); got != shardset.OutcomeFailed || r.run.Fatal() == nil {
			t.Errorf("the outcome is %v, want failed; fatal is %v", got, r.run.Fatal())
		}
	})
}

// TestABatchThatFailsWhileDrainingIsLeftToTheNextOwner: neither DeadLetter nor
// another attempt begins after a revocation.
func TestABatchThatFailsWhileDrainingIsLeftToTheNextOwner(t *testing.T) {
	for name, attempts := range map[string]int{"no attempt left": 1, "attempts left": 5} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(10)
			r := newRig(t, src)
			r.watch()
			calls := 0
			r.handle(func(context.Context, *batch.Batch[int]) error {
				calls++
				time.Sleep(10 * time.Second)
				return errBad
			}, batch.Options[int]{
				Attempts: attempts,
				DeadLetter: func(context.Context, *batch.Batch[int], batch.Failure) error {
					t.Error("the batch goes to the dead letters")
					return nil
				},
			}).start(1)
			r.run.Revoke(processor.ErrRevoked)
			begin := time.Now()
			if got := r.finish(); got != shardset.OutcomeReleased {
				t.Errorf("the outcome is %v, want released", got)
			}
			if took := time.Since(begin); took != 10*time.Second || calls != 1 {
				t.Errorf("it took %v and %d attempts, want 10s and 1", took, calls)
			}
		})
	}
}
