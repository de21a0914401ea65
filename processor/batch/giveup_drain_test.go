package batch_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// TestGiveUpWhenTheShardHasToGo: items that were passed to GiveUp go to DeadLetter during the drain, or are
// left to the next owner.
func TestGiveUpWhenTheShardHasToGo(t *testing.T) {
	tests := []struct {
		name    string
		result  error
		broken  bool // the dead letters
		outlast bool // the handler outlasts the drain
		letters []int
		stored  processor.Position
	}{
		{name: "taken", letters: []int{3, 7}, stored: "10"},
		{name: "taken, and the handler fails", result: errBad, letters: []int{3, 7}, stored: "5"},
		{name: "not taken", broken: true, stored: "3"},
		{name: "not taken, and the handler fails", result: errBad, broken: true, stored: "3"},
		{name: "too late", outlast: true, stored: ""},
	}
	for _, tt := range tests {
		for _, at := range []string{"before", "after"} {
			bubble(t, tt.name+"/given up "+at, func(t *testing.T) {
				src := newTape(10)
				src.items = true
				r := newRig(t, src)
				l := r.watch()
				calls := 0
				d := &letters{t: t, l: l, fail: func(int) error {
					if calls++; tt.broken {
						return errLine
					}
					return nil
				}}
				r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
					if at == "after" {
						<-b.Revoked()
					}
					b.GiveUp(3, badItem(3))
					b.GiveUp(7, badItem(7))
					<-b.Revoked()
					if tt.outlast {
						<-ctx.Done()
						return nil
					}
					l.ack(0, 1, 2, 4)
					for _, i := range []int{0, 1, 2, 4} {
						b.AckItem(i)
					}
					if tt.result == nil {
						l.ack(5, 6, 8, 9)
					}
					return tt.result
				}, batch.Options[int]{DeadLetter: d.take}).start(1)
				r.run.Revoke(processor.ErrRevoked)
				time.AfterFunc(drain, func() { r.run.Cancel(processor.ErrRevoked) })
				if got := r.finish(); got != released {
					t.Errorf("the outcome is %v, want released", got)
				}
				checkItems(t, "the dead letters are", d.items, tt.letters)
				if got := r.store.last(); got != tt.stored {
					t.Errorf("stored %q, want %q", got, tt.stored)
				}
				if tt.broken && calls != 1 {
					t.Errorf("DeadLetter, which is down, was called %d times, want once", calls)
				}
				first := 0
				if tt.stored != "" {
					first = number(tt.stored)
				}
				src.set(func(t *tape) { t.closed = true })
				next := r.heir().handle(nil, batch.Options[int]{}).start(2)
				next.finish()
				checkItems(t, "the next owner handled", next.got(), fromTo(first, 10))
			})
		}
	}
}

// TestGivingUpIsVoidWhenTheContextHasEnded: the end of the context may be the reason for the GiveUp.
func TestGivingUpIsVoidWhenTheContextHasEnded(t *testing.T) {
	for name, result := range map[string]error{"nil": nil, "an error": errBad} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(10)
			r := newRig(t, src)
			r.watch()
			r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
				<-ctx.Done()
				b.GiveUp(0, processor.Fatal(ctx.Err()))
				return result
			}, batch.Options[int]{}).start(1)
			r.run.Revoke(processor.ErrShutdown)
			r.run.Cancel(processor.ErrShutdown)
			if got := r.finish(); got != released || r.run.Fatal() != nil || len(r.failed) != 0 {
				t.Errorf("the outcome is %v, fatal %v, failures %v", got, r.run.Fatal(), r.failed)
			}
		})
	}
}

// TestADeadLetterThatWaitsIsLeftToTheNextOwner: during a drain, DeadLetter is called only for items that
// were passed to GiveUp.
func TestADeadLetterThatWaitsIsLeftToTheNextOwner(t *testing.T) {
	for name, reported := range map[string]bool{"it failed": false, "it was given up": true} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(1)
			r := newRig(t, src)
			d := &letters{t: t, l: r.watch()}
			calls := 0
			d.fail = func(int) error { calls++; return errLine }
			r.handle(func(_ context.Context, b *batch.Batch[int]) error {
				if reported {
					b.GiveUp(0, badItem(0))
				}
				return errBad
			}, batch.Options[int]{Attempts: 1, DeadLetter: d.take, Retry: processor.Backoff{Min: time.Hour, Max: time.Hour}}).start(1)
			time.Sleep(time.Minute)
			r.run.Revoke(processor.ErrRevoked)
			want := 1
			if reported {
				want = 2
			}
			if got := r.finish(); got != released || calls != want || r.store.last() != "" {
				t.Errorf("the outcome is %v after %d calls of DeadLetter, and %q is stored; want released, %d and nothing", got, calls, r.store.last(), want)
			}
		})
	}
}
