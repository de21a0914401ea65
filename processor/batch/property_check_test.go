package batch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/rollcall-go/rollcall/processor/batch"
)

// done returns nil, which acknowledges the batch if its context is alive.
func (w *world) done(ctx context.Context, g *owner, b *batch.Batch[int]) error {
	if ctx.Err() == nil {
		w.acknowledge(g, w.kept(g, b)...)
	}
	return nil
}

// letters reports whether there is a DeadLetter.
func (w *world) letters() bool { return w.seed%3 == 0 }

// giveUp gives up some items, and some of them twice, or before they are acknowledged.
func (w *world) giveUp(g *owner, b *batch.Batch[int], rng *rand.Rand) {
	for i, item := range b.Items {
		if rng.IntN(3) > 0 {
			continue
		}
		err, dead := fmt.Errorf("item %d is bad", item), false
		w.locked(func() {
			if dead = g.dead[b]; !dead {
				w.tally.given++
				g.given[item] = err
			}
		})
		b.GiveUp(i, err)
		if !dead && rng.IntN(3) == 0 {
			b.GiveUp(i, errLine)
			b.AckItem(i)
		}
	}
}

// kept returns the items of a batch that are not given up; for DeadLetter they all are
// to be taken.
func (w *world) kept(g *owner, b *batch.Batch[int]) (items []int) {
	w.locked(func() {
		for _, item := range b.Items {
			if g.dead[b] || g.given[item] == nil {
				items = append(items, item)
			}
		}
	})
	return items
}

// handler checks what only a handler is not given.
func (w *world) handler(g *owner, b *batch.Batch[int]) {
	w.locked(func() {
		for _, item := range b.Items {
			if g.given[item] != nil && w.err == nil {
				w.err = fmt.Errorf("seed %d: epoch %d: item %d is handled after it was given up", w.seed, g.epoch, item)
			}
		}
	})
	if most := w.o.HandleItems; most > 0 && len(b.Items) > most {
		w.wrong("epoch %d: %d items are handled together, want %d at most", g.epoch, len(b.Items), most)
	}
}

// failed notes that a handler failed.
func (w *world) failed(g *owner, b *batch.Batch[int]) {
	if len(b.Items) == 1 {
		w.locked(func() { g.alone[b.Items[0]] = true })
	}
}

// deadLetter checks what DeadLetter is given.
func (w *world) deadLetter(g *owner, b *batch.Batch[int], f batch.Failure) {
	item, ok := b.Items[0], false
	w.locked(func() {
		w.tally.dead++
		g.dead[b] = true
		ok = len(b.Items) == 1 && f.Items == 1 && (g.given[item] != nil && f.Err == g.given[item] || g.given[item] == nil && g.alone[item])
	})
	if !ok {
		w.wrong("epoch %d: %v go to the dead letters because of %v", g.epoch, b.Items, f.Err)
	}
}

// some acknowledges some items, one by one.
func (w *world) some(g *owner, b *batch.Batch[int], rng *rand.Rand) {
	kept := w.kept(g, b)
	for i, item := range b.Items {
		if rng.IntN(3) > 0 && slices.Contains(kept, item) {
			w.acknowledge(g, item)
			b.AckItem(i)
		}
	}
}

// acknowledge remembers, before the loop can know.
func (w *world) acknowledge(g *owner, items ...int) {
	w.locked(func() {
		for _, item := range items {
			g.acked[item], w.ever[item] = true, true
		}
	})
}

// keysOf returns the keys of a batch; without keys all have the same if they are to be
// handled one after the other.
func (w *world) keysOf(b *batch.Batch[int]) (keys []string) {
	if w.key == nil && w.o.Concurrency > 1 {
		return nil
	}
	for _, item := range b.Items {
		if w.key == nil {
			return []string{""}
		}
		keys = append(keys, w.key(item))
	}
	return keys
}

// enter checks what a handler is given.
func (w *world) enter(g *owner, b *batch.Batch[int]) {
	from, next := number(b.From), number(b.Next)
	if from < g.resume {
		w.wrong("epoch %d resumed at %d, and a batch begins at %d", g.epoch, g.resume, from)
	}
	if len(b.Items) == 0 {
		w.wrong("epoch %d: an empty batch from %d", g.epoch, from)
	}
	for i, item := range b.Items {
		if item < from || item >= next || i > 0 && item <= b.Items[i-1] || w.drop(item) {
			w.wrong("epoch %d: a batch from %d to %d has the items %v", g.epoch, from, next, b.Items)
		}
	}
	again, disorder, together, width := -1, false, false, 0
	w.locked(func() {
		g.ends[next] = true
		for _, item := range b.Items {
			if g.acked[item] {
				again = item
			}
		}
		g.inside++
		width = g.inside
		if width > 1 {
			w.tally.abreast++
		}
		for _, k := range w.keysOf(b) {
			disorder = disorder || from < g.from[k]
			together = together || g.keys[k]
			g.from[k] = from
		}
		for _, k := range w.keysOf(b) {
			g.keys[k] = true
		}
	})
	if again >= 0 {
		w.wrong("epoch %d: item %d is handled again after it was acknowledged", g.epoch, again)
	}
	if disorder {
		w.wrong("epoch %d: the batch from %d is handled after a later one with the same key", g.epoch, from)
	}
	if together {
		w.wrong("epoch %d: the batch from %d is handled beside another with the same key", g.epoch, from)
	}
	if width > w.o.Concurrency {
		w.wrong("epoch %d: %d batches are handled at a time, want %d at most", g.epoch, width, w.o.Concurrency)
	}
}

// leave notes that a handler has returned, or panicked.
func (w *world) leave(g *owner, b *batch.Batch[int]) {
	w.locked(func() {
		g.inside--
		for _, k := range w.keysOf(b) {
			delete(g.keys, k)
		}
	})
}

// handedOver checks that an owner who could do so committed all that it may.
func (w *world) handedOver(epoch uint64) {
	g := w.owners[epoch]
	if g == nil {
		return // it was revoked before it began
	}
	want := g.resume
	for item := g.resume; item < w.src.size() && (w.drop(item) || g.acked[item]); item++ {
		if g.ends[item+1] || w.src.items && g.acked[item] {
			want = item + 1
		}
	}
	if p, _ := w.rig.store.Position(testShard); want > 0 && (p == "" || number(p) < want) {
		w.wrong("epoch %d went with %d acknowledged and %q committed", epoch, want, p)
	}
}

// inspect checks what is left in the end.
func (w *world) inspect() {
	end := w.src.size()
	for item := range end {
		if !w.drop(item) && !w.ever[item] {
			w.wrong("item %d was never handled", item)
		}
	}
	if p := w.rig.store.last(); p != position(end) {
		w.wrong("in the end %q is committed, want %d", p, end)
	}
	if n := w.src.held(); n != 0 {
		w.wrong("%d chunks are not released", n)
	}
	if n := w.src.count(func(t *tape) int { return t.open }); n != 0 {
		w.wrong("%d readers are open", n)
	}
	if w.budget.Free() != w.budget.Size() {
		w.wrong("%d bytes of %d are free", w.budget.Free(), w.budget.Size())
	}
}
