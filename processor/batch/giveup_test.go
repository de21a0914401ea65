package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// badItem is why an item is given up.
type badItem int

func (b badItem) Error() string { return fmt.Sprintf("item %d is bad", int(b)) }

// letters is a DeadLetter that remembers what it took, one item at a time.
type letters struct {
	t     *testing.T
	l     *ledger
	items []int
	told  []batch.Failure
	fail  func(item int) error
}

func (d *letters) take(_ context.Context, b *batch.Batch[int], f batch.Failure) error {
	if len(b.Items) != 1 || f.Items != 1 {
		d.t.Errorf("the dead letter is %v, and %d items, want one", b.Items, f.Items)
	}
	if d.fail != nil {
		if err := d.fail(b.Items[0]); err != nil {
			return err
		}
	}
	d.l.ack(b.Items...)
	d.items, d.told = append(d.items, b.Items...), append(d.told, f)
	return nil
}

// TestGiveUpTakesOneItem: the handler gives up two items of its batch and then ends in each way. If it
// failed, it gets the other items again, without these two.
func TestGiveUpTakesOneItem(t *testing.T) {
	nothing := ending{name: "returns nil", end: func(context.Context, *batch.Batch[int]) error { return nil }}
	for _, e := range append([]ending{nothing}, endings...) {
		if e.timeout == 0 && (e.name == "hangs" || e.name == "gives up with nil") {
			continue // see TestGiveUpWhenTheShardHasToGo
		}
		for _, items := range []bool{true, false} {
			bubble(t, fmt.Sprintf("%s/items %v", e.name, items), func(t *testing.T) {
				src := newTape(30)
				src.perRead, src.closed, src.items = 10, true, items
				r := newRig(t, src)
				l := r.watch()
				d := &letters{t: t, l: l}
				var again []int
				r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
					switch {
					case b.From != "10":
					case b.Attempt > 1:
						again = b.Items
					default:
						l.ack(10)
						b.AckItem(0)
						b.GiveUp(7, badItem(17))
						b.GiveUp(3, badItem(13))
						if e.name == nothing.name {
							l.ack(11, 12, 14, 15, 16, 18, 19)
						}
						return e.end(ctx, b)
					}
					l.ack(b.Items...)
					return nil
				}, batch.Options[int]{Timeout: e.timeout, DeadLetter: d.take}).start(1)
				if got := r.finish(); got != ended {
					t.Errorf("the outcome is %v, want ended", got)
				}
				checkItems(t, "the dead letters are", d.items, []int{13, 17})
				for i, f := range d.told {
					if f.Err != badItem(d.items[i]) || f.From != "10" || f.Next != "20" || f.Attempt != 1 {
						t.Errorf("DeadLetter got %+v of item %d", f, d.items[i])
					}
				}
				want := []int{11, 12, 14, 15, 16, 18, 19}
				if e.name == nothing.name {
					want = nil
				}
				checkItems(t, "the second attempt had", again, want)
				if st := r.run.Status(); len(st.Poison) != 2 || st.Progress.Items != 30 || r.store.last() != "30" {
					t.Errorf("%d were counted as poison and %d as handled, and %q is stored", len(st.Poison), st.Progress.Items, r.store.last())
				}
				for i, p := range r.poison() {
					if p.Items != 1 || !p.DeadLettered || p.Err != badItem(d.items[i]) {
						t.Errorf("reported the poison %+v", p)
					}
				}
			})
		}
	}
}

// TestGivingUpIsForGood: of GiveUp and AckItem for one item, the first call counts.
func TestGivingUpIsForGood(t *testing.T) {
	late := make(chan *batch.Batch[int], 1)
	tests := []struct {
		name    string
		handle  func(b *batch.Batch[int]) error
		letters []int
		err     error // of the first
		again   []int
	}{
		{name: "twice", handle: func(b *batch.Batch[int]) error { b.GiveUp(1, badItem(1)); b.GiveUp(1, errBad); return nil },
			letters: []int{1}, err: badItem(1)},
		{name: "acknowledged before", handle: func(b *batch.Batch[int]) error { b.AckItem(1); b.GiveUp(1, badItem(1)); return nil }},
		{name: "all acknowledged before", handle: func(b *batch.Batch[int]) error { b.Ack(); b.GiveUp(1, badItem(1)); return errBad }},
		{name: "acknowledged after", handle: func(b *batch.Batch[int]) error { b.GiveUp(1, badItem(1)); b.AckItem(1); return nil },
			letters: []int{1}, err: badItem(1)},
		{name: "all acknowledged after", handle: func(b *batch.Batch[int]) error { b.GiveUp(1, badItem(1)); b.Ack(); return errBad },
			letters: []int{1}, err: badItem(1)},
		{name: "the first two acknowledged after", handle: func(b *batch.Batch[int]) error { b.GiveUp(1, badItem(1)); b.AckTo(2); return errBad },
			letters: []int{1}, err: badItem(1), again: []int{2, 3}},
		{name: "all of them", handle: func(b *batch.Batch[int]) error {
			for i := range b.Items {
				b.GiveUp(i, badItem(i))
			}
			return errBad
		}, letters: upTo(4), err: badItem(0)},
		{name: "without a reason", handle: func(b *batch.Batch[int]) error { b.GiveUp(0, nil); return nil }, letters: []int{0}},
		{name: "one that is not there", handle: func(b *batch.Batch[int]) error { b.GiveUp(4, errBad); return nil }, again: upTo(4)},
		{name: "when the handler has returned", handle: func(b *batch.Batch[int]) error { late <- b; return errBad }, again: upTo(4)},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(4)
			src.closed = true
			r := newRig(t, src)
			d := &letters{t: t, l: r.watch()}
			d.l.ack(upTo(4)...) // what is looked at here is who gets what
			var again []int
			r.handle(func(_ context.Context, b *batch.Batch[int]) error {
				if b.Attempt > 1 {
					again = slices.Clone(b.Items)
					return nil
				}
				return tt.handle(b)
			}, batch.Options[int]{DeadLetter: d.take, Retry: processor.Backoff{Min: time.Minute}}).start(1)
			select {
			case b := <-late:
				b.GiveUp(1, errBad)
			default:
			}
			if got := r.finish(); got != ended {
				t.Errorf("the outcome is %v, want ended", got)
			}
			checkItems(t, "the dead letters are", d.items, tt.letters)
			checkItems(t, "the second attempt had", again, tt.again)
			if len(d.told) > 0 && (d.told[0].Err == nil || tt.err != nil && d.told[0].Err != tt.err) {
				t.Errorf("DeadLetter got %v, want %v", d.told[0].Err, tt.err)
			}
		})
	}
}

// TestGiveUpWithoutDeadLetter: GiveUp halts the shard, or ends the worker if the error was made with Fatal.
// The items before it are committed.
func TestGiveUpWithoutDeadLetter(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		take    func(context.Context, *batch.Batch[int], batch.Failure) error
		outcome shardset.Outcome
	}{
		"an error":                     {errBad, nil, released},
		"halt":                         {processor.Halt(errBad), nil, released},
		"fatal":                        {processor.Fatal(errBad), nil, gaveUp},
		"halt, with a dead letter":     {processor.Halt(errBad), taken, released},
		"fatal, with a dead letter":    {processor.Fatal(errBad), taken, gaveUp},
		"an error, and nothing else":   {errBad, nil, released},
		"without a reason, and a halt": {nil, nil, released},
	} {
		for _, result := range []error{nil, errLine} {
			bubble(t, fmt.Sprintf("%s/%v", name, result), func(t *testing.T) {
				src := newTape(30)
				src.perRead, src.items = 10, true
				r := newRig(t, src)
				r.handle(func(_ context.Context, b *batch.Batch[int]) error {
					if b.From != "10" {
						return nil
					}
					b.AckTo(3)
					b.GiveUp(3, tt.err)
					return result
				}, batch.Options[int]{DeadLetter: tt.take}).start(1)
				time.Sleep(time.Minute)
				checkHalted(t, r, tt.outcome == released)
				if tt.outcome == released && tt.err != nil && !errors.Is(r.halted, errBad) {
					t.Errorf("the shard was halted with %v", r.halted)
				}
				r.run.Revoke(processor.ErrRevoked)
				if got := r.finish(); got != tt.outcome {
					t.Errorf("the outcome is %v, want %v", got, tt.outcome)
				}
				if r.store.last() != "13" || len(r.poison()) != 0 {
					t.Errorf("%q is stored and %d items are poison, want 13 and none", r.store.last(), len(r.poison()))
				}
			})
		}
	}
}

// TestADeadLetterThatFailsHoldsUpNoNeighbour: while DeadLetter fails for an item, the other items of its
// batch are handled. No position after the item is committed.
func TestADeadLetterThatFailsHoldsUpNoNeighbour(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(10)
		src.items, src.closed = true, true
		r := newRig(t, src)
		l := r.watch()
		var up atomic.Bool
		d := &letters{t: t, l: l, fail: func(int) error {
			if up.Load() {
				return nil
			}
			return errLine
		}}
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Attempt == 1 {
				b.GiveUp(3, badItem(3))
				return errBad
			}
			l.ack(b.Items...)
			return nil
		}, batch.Options[int]{DeadLetter: d.take}).start(1)
		time.Sleep(10 * time.Minute)
		checkItems(t, "handled", r.got(), append(upTo(3), fromTo(4, 10)...))
		if got := r.store.last(); got != "3" {
			t.Errorf("stored %q, want 3", got)
		}
		if got := r.run.Status().Progress.Trouble; !errors.Is(got, errLine) {
			t.Errorf("the trouble is %v, want %v", got, errLine)
		}
		up.Store(true)
		if got := r.finish(); got != ended || r.store.last() != "10" {
			t.Errorf("the outcome is %v, and %q is stored, want ended and 10", got, r.store.last())
		}
	})
}

// TestGiveUpInALoop over Range: also of a batch that is not acknowledged, and of the one
// at which the loop ends.
func TestGiveUpInALoop(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(30)
		src.perRead, src.closed, src.items = 10, true, true
		r := newRig(t, src)
		l := r.watch()
		d := &letters{t: t, l: l}
		r.factory = func(context.Context, shardset.Lease) (processor.Processor, error) {
			return processor.Func(func(ctx context.Context, s *processor.Shard) error {
				for b, err := range batch.Range(ctx, s, src, batch.Options[int]{DeadLetter: d.take}) {
					if err != nil {
						return err
					}
					switch {
					case b.Items[0] == 10:
						b.GiveUp(0, badItem(10))
						continue // it comes again
					case b.From == "20":
						l.ack(20)
						b.AckItem(0)
						b.GiveUp(1, badItem(21))
						return nil
					}
					l.ack(b.Items...)
					b.Ack()
				}
				return nil
			}), nil
		}
		r.start(1)
		if got := r.finish(); got != shardset.OutcomeComplete {
			t.Errorf("the outcome is %v, want done", got)
		}
		checkItems(t, "the dead letters are", d.items, []int{10, 21})
		if got := r.store.last(); got != "22" {
			t.Errorf("stored %q, want 22", got)
		}
	})
}

// TestYieldKeepsWhatIsGivenUp: DeadLetter fails, and other shards wait for the memory. The batch keeps it.
func TestYieldKeepsWhatIsGivenUp(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		src := newTape(10)
		src.perRead, src.closed = 10, true
		r := newRig(t, src)
		d := &letters{t: t, l: r.watch()}
		d.l.ack(upTo(10)...)
		calls, seen := 0, 0
		d.fail = func(int) error {
			if calls++; calls < 20 {
				return errLine
			}
			return nil
		}
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			if i := slices.Index(b.Items, 5); i >= 0 {
				seen++
				b.GiveUp(i, badItem(5))
				return errBad
			}
			if calls < 20 {
				return errBad // so that nothing of the read is acknowledged
			}
			return nil
		}, batch.Options[int]{Budget: budget, BatchBytes: 1000, DeadLetter: d.take}).start(1)
		h := hog(t, budget)
		if got := r.finish(); got != ended || seen != 1 {
			t.Errorf("the outcome is %v, and the item was handled %d times, want ended and once", got, seen)
		}
		h.quit()
	})
}
