package batch_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// poisonous are eight bad items of 250: the first one, the last one, two in a row, and
// several of one key.
var poisonous = []int{0, 17, 18, 70, 77, 84, 133, 249}

// TestEightBadItemsAreEightDeadLetters, however the handler says that it cannot handle
// them, and however the items reach it. The healthy ones are handled, each key in order.
func TestEightBadItemsAreEightDeadLetters(t *testing.T) {
	bad := func(item int) bool { return slices.Contains(poisonous, item) }
	handlers := map[string]func(l *ledger, b *batch.Batch[int]) error{
		"all or nothing": func(l *ledger, b *batch.Batch[int]) error {
			if i := slices.IndexFunc(b.Items, bad); i >= 0 {
				return badItem(b.Items[i])
			}
			l.saw(b.Items...)
			return nil
		},
		"up to the first": func(l *ledger, b *batch.Batch[int]) error {
			for i, item := range b.Items {
				if bad(item) {
					return badItem(item)
				}
				l.saw(item)
				l.ack(item)
				b.AckItem(i)
			}
			return nil
		},
		"with a panic": func(l *ledger, b *batch.Batch[int]) error {
			for i, item := range b.Items {
				if bad(item) {
					panic(item)
				}
				l.saw(item)
				l.ack(item)
				b.AckItem(i)
			}
			return nil
		},
		"with a word about each": func(l *ledger, b *batch.Batch[int]) error {
			for i, item := range b.Items {
				if bad(item) {
					b.GiveUp(i, badItem(item))
				} else {
					l.saw(item)
				}
			}
			return nil
		},
		"with a word about the first": func(l *ledger, b *batch.Batch[int]) error {
			for i, item := range b.Items {
				if bad(item) {
					b.GiveUp(i, badItem(item))
					return badItem(item)
				}
				l.saw(item)
				l.ack(item)
				b.AckItem(i)
			}
			return nil
		},
	}
	seven := func(item int) string { return strconv.Itoa(item % 7) }
	for how, handle := range handlers {
		for name, o := range map[string]batch.Options[int]{
			"one at a time":  {},
			"three at once":  {Concurrency: 3},
			"with a key":     {Concurrency: 4, Key: seven},
			"item by item":   {HandleItems: 1},
			"by fives":       {HandleItems: 5, Concurrency: 2},
			"by key, by two": {HandleItems: 2, Concurrency: 4, Key: seven},
		} {
			bubble(t, how+"/"+name, func(t *testing.T) {
				src := newTape(250)
				src.perRead, src.closed, src.items = 50, true, true
				r := newRig(t, src)
				l := r.watch()
				d := &letters{t: t, l: l}
				o.Attempts, o.DeadLetter = 3, func(ctx context.Context, b *batch.Batch[int], f batch.Failure) (err error) {
					r.locked(func() { err = d.take(ctx, b, f) })
					return err
				}
				r.handle(func(_ context.Context, b *batch.Batch[int]) error {
					err := handle(l, b)
					if err == nil {
						l.ack(slices.DeleteFunc(slices.Clone(b.Items), bad)...)
					}
					return err
				}, o).start(1)
				if got := r.finish(); got != ended {
					t.Errorf("the outcome is %v, want ended", got)
				}
				slices.Sort(d.items)
				checkItems(t, "the dead letters are", d.items, poisonous)
				if st := r.run.Status(); len(st.Poison) != len(poisonous) || st.Progress.Items != 250 || r.store.last() != "250" {
					t.Errorf("%d were counted as poison and %d as handled, and %q is stored", len(st.Poison), st.Progress.Items, r.store.last())
				}
				checkHealthy(t, l.given(), bad, o)
			})
		}
	}
}

// checkHealthy checks that all good items were handled once. With a key, or without concurrency, they
// must have been handled in order.
func checkHealthy(t *testing.T, handled []int, bad func(int) bool, o batch.Options[int]) {
	t.Helper()
	last := map[string]int{}
	for _, item := range handled {
		key := ""
		if o.Key != nil {
			key = o.Key(item)
		}
		if before, ok := last[key]; ok && item < before && (o.Key != nil || o.Concurrency < 2) {
			t.Errorf("item %d was handled after %d", item, before)
		}
		last[key] = item
	}
	slices.Sort(handled)
	checkItems(t, "handled", handled, slices.DeleteFunc(upTo(250), bad))
}

// TestAttemptsAtADividedBatch bounds what dividing costs, and shows that a single item
// has the attempts that the bounds allow, with their pauses, before it is given up.
func TestAttemptsAtADividedBatch(t *testing.T) {
	const items, attempts = 64, 3
	bubble(t, "one is bad", func(t *testing.T) {
		calls, alone := divided(t, items, attempts, func(b *batch.Batch[int]) bool { return slices.Contains(b.Items, 40) })
		if want := attempts + 4*3 + attempts - 1; calls > want {
			t.Errorf("%d calls of the handler, want %d at most", calls, want)
		}
		if len(alone[40]) != attempts {
			t.Errorf("the bad item was tried alone %d times, want %d", len(alone[40]), attempts)
		}
	})
	bubble(t, "all are bad", func(t *testing.T) {
		calls, alone := divided(t, items, attempts, func(*batch.Batch[int]) bool { return true })
		if want := attempts + 4 + 16 + attempts*items; calls != want {
			t.Errorf("%d calls of the handler, want %d", calls, want)
		}
		for item := range items {
			at := alone[item]
			if len(at) != attempts || at[1].Sub(at[0]) < 500*time.Millisecond || at[2].Sub(at[1]) < time.Second {
				t.Errorf("item %d was tried alone at %v, want %d times with growing pauses", item, at, attempts)
			}
		}
	})
	bubble(t, "the sink is down for a while", func(t *testing.T) {
		begin := time.Now()
		r := newDivided(t, items, attempts, func(*batch.Batch[int]) bool { return time.Since(begin) < 3*time.Second })
		r.finish()
		if len(r.poison()) > 1 {
			t.Errorf("%d items were given up in three seconds, want 1 at most: each has pauses of its own", len(r.poison()))
		}
	})
}

// newDivided is a closed shard of one read. The handler fails for bad items.
func newDivided(t *testing.T, items, attempts int, bad func(*batch.Batch[int]) bool) *rig {
	src := newTape(items)
	src.closed = true
	return newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
		if bad(b) {
			return errBad
		}
		return nil
	}, batch.Options[int]{
		Attempts: attempts, DeadLetter: taken, Retry: processor.Backoff{Min: time.Second, Max: time.Minute},
	}).start(1)
}

// divided runs it to the end, and returns the calls of the handler and those with one item.
func divided(t *testing.T, items, attempts int, bad func(*batch.Batch[int]) bool) (calls int, alone map[int][]time.Time) {
	alone = map[int][]time.Time{}
	last := 0
	r := newDivided(t, items, attempts, func(b *batch.Batch[int]) bool {
		if calls++; b.Attempt <= last && b.Items[0] == 0 {
			t.Errorf("attempt %d of the first item after attempt %d", b.Attempt, last)
		}
		if b.Items[0] == 0 {
			last = b.Attempt
		}
		if len(b.Items) == 1 {
			alone[b.Items[0]] = append(alone[b.Items[0]], time.Now())
		}
		return bad(b)
	})
	if got := r.finish(); got != ended || r.store.last() != position(items) {
		t.Errorf("the outcome is %v, and %q is stored", got, r.store.last())
	}
	return calls, alone
}

// TestTheLastOneLeftIsTriedAlone: attempts together with other items do not count for a single item.
func TestTheLastOneLeftIsTriedAlone(t *testing.T) {
	for name, end := range map[string]func(b *batch.Batch[int]){
		"the other was given up":     func(b *batch.Batch[int]) { b.GiveUp(0, badItem(0)) },
		"the other was acknowledged": func(b *batch.Batch[int]) { b.AckItem(0) },
	} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(2)
			src.closed = true
			r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
				if len(b.Items) > 1 {
					end(b)
					return errBad
				}
				return nil
			}, batch.Options[int]{Attempts: 1, DeadLetter: taken}).start(1)
			r.finish()
			checkItems(t, "handled", r.got(), []int{1})
		})
	}
}

// TestADividedBatchIsLeftToTheNextOwner: the shard is revoked while a divided batch is handled. No further
// part of the batch begins.
func TestADividedBatchIsLeftToTheNextOwner(t *testing.T) {
	for _, bad := range []int{0, 5, 63} {
		bubble(t, fmt.Sprint(bad), func(t *testing.T) {
			src := newTape(64)
			r := newRig(t, src)
			l := r.watch()
			r.handle(func(_ context.Context, b *batch.Batch[int]) error {
				time.Sleep(time.Second)
				if slices.Contains(b.Items, bad) {
					return errBad
				}
				l.ack(b.Items...)
				return nil
			}, batch.Options[int]{Attempts: 1, DeadLetter: taken}).start(1)
			time.Sleep(2500 * time.Millisecond)
			r.run.Revoke(processor.ErrRevoked)
			begin := time.Now()
			if got := r.finish(); got != released || time.Since(begin) > time.Second {
				t.Errorf("the outcome is %v after %v", got, time.Since(begin))
			}
			if len(r.poison()) != 0 || r.store.last() != "" {
				t.Errorf("%d were given up and %q is stored", len(r.poison()), r.store.last())
			}
			src.set(func(t *tape) { t.closed = true })
			next := r.heir().handle(nil, batch.Options[int]{}).start(2)
			next.finish()
			checkItems(t, "the next owner handled", next.got(), upTo(64))
		})
	}
}
