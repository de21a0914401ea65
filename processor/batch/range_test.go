package batch_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// ranges makes the rig's factory with Range: body is called for each batch, and says
// what the loop does then.
func (r *rig) ranges(o batch.Options[int], body func(b *batch.Batch[int]) step) *rig {
	o = r.ownBudget(o)
	r.factory = processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
		for b, err := range batch.Range(ctx, s, r.tape, o) {
			if err != nil {
				return err
			}
			r.locked(func() { r.handled = append(r.handled, b.Items...) })
			st := body(b)
			if st.leave {
				break
			}
			if st.result != nil {
				return st.result
			}
		}
		return nil
	})
	return r
}

// step is how a body ends.
type step struct {
	leave  bool  // with break
	result error // with return
}

func TestRangeHandlesEverythingInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead, src.closed = 7, true
		r := newRig(t, src)
		r.ranges(batch.Options[int]{}, func(b *batch.Batch[int]) step { b.Ack(); return step{} }).start(1)
		if o := r.finish(); o != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", o)
		}
		checkItems(t, "handled", r.got(), upTo(100))
		if got := r.store.last(); got != "100" {
			t.Errorf("stored %q, want 100", got)
		}
	})
}

// TestRangeLeavesOff: the body leaves the loop at the third batch, in each way. The acknowledged items are
// committed before the statement after the loop runs.
func TestRangeLeavesOff(t *testing.T) {
	tests := []struct {
		name    string
		body    func(b *batch.Batch[int]) step
		stored  processor.Position
		outcome shardset.Outcome // when it is revoked a while later
		again   bool             // it is started again, and gets the same batch
	}{
		{"break", func(*batch.Batch[int]) step { return step{leave: true} }, "20", shardset.OutcomeComplete, false},
		{"break after Ack", func(b *batch.Batch[int]) step { b.Ack(); return step{leave: true} }, "30", shardset.OutcomeComplete, false},
		{"break after Fail", func(b *batch.Batch[int]) step { b.Fail(errBad); return step{leave: true} }, "20", shardset.OutcomeComplete, false},
		{"return", func(*batch.Batch[int]) step { return step{result: errBad} }, "20", shardset.OutcomeReleased, true},
		{"return after Ack", func(b *batch.Batch[int]) step { b.Ack(); return step{result: errBad} }, "30", shardset.OutcomeReleased, false},
		{"panic", func(*batch.Batch[int]) step { panic(errBad) }, "20", shardset.OutcomeReleased, true},
		{"panic after Ack", func(b *batch.Batch[int]) step { b.Ack(); panic(errBad) }, "30", shardset.OutcomeReleased, false},
		{"goexit", func(*batch.Batch[int]) step { runtime.Goexit(); return step{} }, "20", shardset.OutcomeFailed, false},
		{"goexit after Ack", func(b *batch.Batch[int]) step { b.Ack(); runtime.Goexit(); return step{} }, "30", shardset.OutcomeFailed, false},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(50)
			src.perRead = 10
			r := newRig(t, src)
			r.restart = processor.Backoff{Min: time.Minute, Max: time.Minute}
			bad := 0
			r.ranges(batch.Options[int]{CommitInterval: never, OnError: func(_ context.Context, f batch.Failure) batch.Action {
				t.Errorf("OnError is asked about %v; to leave is no failure", f.Err)
				return batch.ActionRetry
			}}, func(b *batch.Batch[int]) step {
				if b.Items[0] == 20 {
					bad++
					return tt.body(b)
				}
				b.Ack()
				return step{}
			}).start(1)
			if got := r.store.last(); got != tt.stored {
				t.Errorf("stored %q, want %q", got, tt.stored)
			}
			checkFull(t, r.budget, batch.DefaultReads)
			time.Sleep(90 * time.Second)
			r.run.Revoke(processor.ErrRevoked)
			if got := r.finish(); got != tt.outcome {
				t.Errorf("the outcome is %v, want %v", got, tt.outcome)
			}
			if again := bad > 1; again != tt.again {
				t.Errorf("the batch came %d times", bad)
			}
		})
	}
}

// TestRangeFails: the body fails in each way. It gets the batch again as the options say, and OnError gets
// the reason.
func TestRangeFails(t *testing.T) {
	tests := []struct {
		name string
		body func(b *batch.Batch[int])
		want error
		left []int
	}{
		{"Fail", func(b *batch.Batch[int]) { b.Fail(errBad) }, errBad, fromTo(10, 20)},
		{"without a word", func(*batch.Batch[int]) {}, batch.ErrNotAcknowledged, fromTo(10, 20)},
		{"Fail with nil", func(b *batch.Batch[int]) { b.Fail(nil) }, batch.ErrNotAcknowledged, fromTo(10, 20)},
		{"some items", func(b *batch.Batch[int]) { b.AckItem(0); b.AckItem(9) }, batch.ErrNotAcknowledged, fromTo(11, 19)},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(30)
			src.perRead, src.closed = 10, true
			r := newRig(t, src)
			var told []batch.Failure
			var again []int
			r.ranges(batch.Options[int]{OnError: func(_ context.Context, f batch.Failure) batch.Action {
				told = append(told, f)
				return batch.ActionRetry
			}}, func(b *batch.Batch[int]) step {
				if b.From == "10" && b.Attempt == 1 {
					tt.body(b)
					return step{}
				}
				if b.Attempt == 2 {
					again = b.Items
				}
				b.Ack()
				return step{}
			}).start(1)
			if got := r.finish(); got != shardset.OutcomeClosed {
				t.Errorf("the outcome is %v, want ended", got)
			}
			if len(told) != 1 || !errors.Is(told[0].Err, tt.want) {
				t.Errorf("OnError got %+v, want %v", told, tt.want)
			}
			checkItems(t, "the second attempt had", again, tt.left)
		})
	}
}

// TestRangeAckWinsOverFail: a batch with Ack and Fail is acknowledged, whichever comes first.
func TestRangeAckWinsOverFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(30)
		src.perRead, src.closed = 10, true
		r := newRig(t, src)
		r.ranges(batch.Options[int]{Attempts: 1}, func(b *batch.Batch[int]) step {
			if b.Items[0] == 10 {
				b.Ack()
				b.Fail(errBad)
			} else {
				b.Fail(errBad)
				b.Ack()
			}
			return step{}
		}).start(1)
		if got := r.finish(); got != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", got)
		}
		checkItems(t, "handled", r.got(), upTo(30))
	})
}
