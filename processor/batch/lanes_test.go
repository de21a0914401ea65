package batch_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// gates is a handler that keeps each batch until the test ends its handling. A batch is named by its first
// item.
type gates struct {
	r    *rig
	wait map[int]chan error
}

func newGates(r *rig) *gates { return &gates{r: r, wait: map[int]chan error{}} }

func (g *gates) handle(_ context.Context, b *batch.Batch[int]) error {
	gate := make(chan error)
	g.r.locked(func() { g.wait[b.Items[0]] = gate })
	return <-gate
}

// inside returns the batches that are being handled.
func (g *gates) inside() (first []int) {
	synctest.Wait()
	g.r.locked(func() { first = slices.Sorted(maps.Keys(g.wait)) })
	return first
}

// letGo ends the handling of a batch and lets the loop see it.
func (g *gates) letGo(item int, err error) {
	var gate chan error
	g.r.locked(func() { gate = g.wait[item]; delete(g.wait, item) })
	gate <- err
	synctest.Wait()
}

func TestOnlyTheContiguousPrefixIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(6)
		src.perRead = 1
		r := newRig(t, src)
		g := newGates(r)
		r.handle(g.handle, batch.Options[int]{Concurrency: 3, CommitInterval: time.Second}).start(1)
		for _, step := range []struct {
			done   int
			inside []int
			want   processor.Position
		}{
			{2, []int{0, 1, 3}, ""},
			{1, []int{0, 3, 4}, ""},
			{4, []int{0, 3}, ""}, // the fifth is as far as it is read ahead
			{0, []int{3, 5}, "3"},
			{5, []int{3}, "3"},
			{3, nil, "6"},
		} {
			g.letGo(step.done, nil)
			time.Sleep(time.Minute)
			if got := g.inside(); step.done != 4 && !slices.Equal(got, step.inside) {
				t.Errorf("after batch %d, %v are being handled, want %v", step.done, got, step.inside)
			}
			if p := r.store.last(); p != step.want {
				t.Errorf("after batch %d, committed %q, want %q", step.done, p, step.want)
			}
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

func TestSoManyBatchesAreHandledAtATime(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			src := newTape(100)
			src.perRead, src.closed = 1, true
			r := newRig(t, src)
			now, most := 0, 0
			begin := time.Now()
			r.handle(func(context.Context, *batch.Batch[int]) error {
				r.locked(func() { now++; most = max(most, now) })
				time.Sleep(time.Second)
				r.locked(func() { now-- })
				return nil
			}, batch.Options[int]{Concurrency: n}).start(1)
			r.finish()
			if most != n {
				t.Errorf("%d batches were handled at a time, want %d", most, n)
			}
			if took, want := time.Since(begin), time.Duration(100/n)*time.Second; took != want {
				t.Errorf("100 batches of 1 s, %d at a time, took %v, want %v", n, took, want)
			}
		})
	}
}

// tens is a key that ten items in a row have in common.
func tens(item int) string { return strconv.Itoa(item / 10) }

func TestOneKeyStaysInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys = 40
		src := newTape(4000)
		src.perRead, src.closed = 100, true
		r := newRig(t, src)
		key := func(item int) string { return strconv.Itoa(item % keys) }
		last, inside := map[string]int{}, map[string]processor.Position{}
		now, most := 0, 0
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			r.locked(func() {
				now++
				most = max(most, now)
				for _, item := range b.Items {
					k := key(item)
					if before, ok := last[k]; ok && item != before+keys {
						t.Errorf("item %d of key %s came after %d", item, k, before)
					}
					last[k] = item
					if at, ok := inside[k]; ok && at != b.From {
						t.Errorf("key %s is being handled from %q and from %q", k, at, b.From)
					}
					inside[k] = b.From
				}
			})
			time.Sleep(time.Duration(b.Items[0]%7) * time.Second)
			r.locked(func() {
				now--
				for _, item := range b.Items {
					delete(inside, key(item))
				}
			})
			return nil
		}, batch.Options[int]{Concurrency: 4, Key: key}).start(1)
		if o := r.finish(); o != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", o)
		}
		got := r.got()
		slices.Sort(got)
		if !slices.Equal(got, upTo(4000)) {
			t.Errorf("handled %v", got)
		}
		if most < 2 || most > 4 {
			t.Errorf("%d parts were handled at a time, want 2 to 4", most)
		}
	})
}

// If the items of a key fail, their lane waits, and the other lanes go on. No position after the failed
// items is committed.
func TestAFailingKeyHoldsUpOnlyItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(400)
		src.perRead, src.items = 10, true
		r := newRig(t, src)
		bad, broken := tens(30), true
		var tries []time.Time
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			fails := false
			r.locked(func() { fails = broken && tens(b.Items[0]) == bad })
			if fails {
				tries = append(tries, time.Now())
				return errors.New("no")
			}
			return nil
		}, batch.Options[int]{Concurrency: 8, Key: tens, Prefetch: 30}).start(1)
		time.Sleep(time.Hour)
		synctest.Wait()
		got := r.got()
		if len(got) < 100 || slices.Contains(got, 30) {
			t.Errorf("while a key fails, %d items were handled, 30 among them: %v", len(got), slices.Contains(got, 30))
		}
		if p := r.store.last(); p != "30" {
			t.Errorf("committed %q, want 30", p)
		}
		if len(tries) < 100 {
			t.Errorf("it was tried %d times in an hour", len(tries))
		}
		r.locked(func() { broken = false })
		time.Sleep(time.Minute)
		got = r.got()
		slices.Sort(got)
		if !slices.Equal(got, upTo(400)) {
			t.Errorf("handled %v", got)
		}
		if p := r.store.last(); p != "400" {
			t.Errorf("committed %q, want 400", p)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// If Key panics, the shard is halted: any choice of a lane could break the order.
func TestAKeyThatPanicsHaltsTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead = 10
		budget := batch.NewBudget(100_000, 2)
		r := newRig(t, src).handle(nil, batch.Options[int]{Budget: budget, Concurrency: 2, Key: func(item int) string {
			if item == 55 {
				panic("55 has no key")
			}
			return tens(item)
		}}).start(1)
		time.Sleep(time.Hour)
		synctest.Wait()
		var panicked *processor.PanicError
		if !errors.As(r.halted, &panicked) || panicked.Where != "Key" {
			t.Errorf("the shard was halted with %v, want the panic in Key", r.halted)
		}
		if p := r.store.last(); p != "50" {
			t.Errorf("committed %q, want 50: what came before is handled", p)
		}
		if budget.Free() != 100_000 || budget.FreeReads() != 2 {
			t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
	})
}
