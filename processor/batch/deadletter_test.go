package batch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestDeadLetterIsTriedUntilItIsTaken: DeadLetter fails in each way before it works. The shard waits, and
// no position after the item is committed meanwhile.
func TestDeadLetterIsTriedUntilItIsTaken(t *testing.T) {
	for _, e := range endings {
		if e.timeout == 0 && (e.name == "hangs" || e.name == "gives up with nil") {
			continue // see TestStop
		}
		bubble(t, e.name, func(t *testing.T) {
			src := newTape(50)
			src.perRead, src.closed = 10, true
			r := newRig(t, src)
			l := r.watch()
			calls, handled := 0, 0
			var told batch.Failure
			r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
				if b.Items[0] == 20 {
					handled++
				}
				return l.handler(20, endings[0])(ctx, b)
			}, batch.Options[int]{
				Attempts: 2, Timeout: e.timeout,
				DeadLetter: func(ctx context.Context, b *batch.Batch[int], f batch.Failure) error {
					if calls++; calls < 20 {
						return e.end(ctx, b)
					}
					told = f
					checkItems(t, "the dead letter is", b.Items, fromTo(20, 21))
					l.ack(b.Items...)
					return nil
				},
			}).start(1)
			if got := r.finish(); got != shardset.OutcomeClosed {
				t.Errorf("the outcome is %v, want ended", got)
			}
			if want := 2 + 1 + 2; calls != 20 || handled != want { // ten items, three, and one
				t.Errorf("%d calls of DeadLetter and %d of the handler, want 20 and %d", calls, handled, want)
			}
			if told.From != "20" || told.Next != "30" || told.Attempt != 5 || told.Items != 1 || !told.Exhausted || !errors.Is(told.Err, errBad) {
				t.Errorf("DeadLetter got %+v", told)
			}
			checkItems(t, "handled", r.got(), but20)
			if got := r.store.last(); got != "50" {
				t.Errorf("stored %q, want 50", got)
			}
		})
	}
}

// wholly gives up the whole batch when the bounds are used up.
func wholly(_ context.Context, f batch.Failure) batch.Action {
	if f.Exhausted {
		return batch.ActionDeadLetter
	}
	return batch.ActionRetry
}

func TestPoisonIsReportedOnce(t *testing.T) {
	tests := []struct {
		name    string
		options batch.Options[int]
		want    processor.Poison
	}{
		{"dead letter", batch.Options[int]{Attempts: 3, DeadLetter: taken, OnError: wholly},
			processor.Poison{From: "20", Next: "30", Items: 7, Attempts: 3, DeadLettered: true}},
		{"skipped", batch.Options[int]{OnError: always(batch.ActionSkip)},
			processor.Poison{From: "20", Next: "30", Items: 7, Attempts: 1}},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(50)
			src.perRead, src.closed = 10, true
			r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
				if b.From != "20" {
					return nil
				}
				if b.Attempt == 1 {
					b.AckItem(3)
					b.AckItem(4)
					b.AckItem(9)
				}
				return errBad
			}, tt.options).start(1)
			if got := r.finish(); got != shardset.OutcomeClosed {
				t.Errorf("the outcome is %v, want ended", got)
			}
			if len(r.poison()) != 1 {
				t.Fatalf("reported %+v, want one", r.poison())
			}
			got := r.poison()[0]
			if !errors.Is(got.Err, errBad) {
				t.Errorf("the error is %v, want %v", got.Err, errBad)
			}
			if got.Err = nil; got != tt.want {
				t.Errorf("reported %+v, want %+v", got, tt.want)
			}
			if n := len(r.poison()); n != 1 {
				t.Errorf("%d were counted, want 1", n)
			}
		})
	}
}

// TestDeadLetterGetsWhatIsLeft: DeadLetter acknowledges single items and fails. It gets the other items
// again.
func TestDeadLetterGetsWhatIsLeft(t *testing.T) {
	bubble(t, "item by item", func(t *testing.T) {
		src := newTape(10)
		src.closed, src.items = true, true
		r := newRig(t, src)
		l := r.watch()
		var got [][]int
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			l.ack(0, 1)
			b.AckItem(0)
			b.AckItem(1)
			return errBad
		}, batch.Options[int]{
			OnError: wholly, Attempts: 1,
			DeadLetter: func(_ context.Context, b *batch.Batch[int], _ batch.Failure) error {
				got = append(got, b.Items)
				l.ack(b.Items[0])
				b.AckItem(0)
				return errBad
			},
		}).start(1)
		if o := r.finish(); o != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", o)
		}
		if len(got) != 8 {
			t.Fatalf("DeadLetter was called %d times, want 8", len(got))
		}
		for i, items := range got {
			checkItems(t, "the dead letter is", items, fromTo(2+i, 10))
		}
	})
}

// TestDeadLetterCanStop: DeadLetter can return an error made with Fatal or Halt. A panic with such an
// error has no such effect. Items that it has not taken are not committed.
func TestDeadLetterCanStop(t *testing.T) {
	tests := []struct {
		name    string
		end     func() error
		outcome shardset.Outcome
		halted  bool
	}{
		{"fatal", fatal, shardset.OutcomeFailed, false},
		{"halt", halt, shardset.OutcomeReleased, true},
		{"panic with fatal", func() error { panic(processor.Fatal(errBad)) }, shardset.OutcomeReleased, false},
		{"panic with halt", func() error { panic(processor.Halt(errBad)) }, shardset.OutcomeReleased, false},
		{"goexit", func() error { runtime.Goexit(); return nil }, shardset.OutcomeReleased, false},
		{"fatal about a panic", func() error {
			return fmt.Errorf("both: %w", errors.Join(errBad, processor.Fatal(&processor.PanicError{Value: errBad})))
		}, shardset.OutcomeFailed, false},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(50)
			src.perRead = 10
			r := newRig(t, src)
			l := r.watch()
			r.handle(l.handler(20, endings[0]), batch.Options[int]{
				Attempts:   1,
				DeadLetter: func(context.Context, *batch.Batch[int], batch.Failure) error { return tt.end() },
			}).start(1)
			time.Sleep(time.Hour)
			checkHalted(t, r, tt.halted)
			r.run.Revoke(processor.ErrRevoked)
			if got := r.finish(); got != tt.outcome {
				t.Errorf("the outcome is %v, want %v", got, tt.outcome)
			}
			if got := r.run.Fatal(); (got != nil) != (tt.outcome == shardset.OutcomeFailed) {
				t.Errorf("fatal is %v", got)
			}
			if got := r.store.last(); got != "20" {
				t.Errorf("stored %q, want 20", got)
			}
			if got := len(r.poison()); got != 0 {
				t.Errorf("%d were counted as poison, want none", got)
			}
		})
	}
}
