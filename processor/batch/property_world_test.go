package batch_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// world is one shard and everything around it under a seed. It remembers what was
// acknowledged, and checks
//   - at each commit, that all before it is acknowledged;
//   - when a handler is called, that it gets nothing that is acknowledged or given up
//     already, and what it gets in the order that the options promise;
//   - when DeadLetter is called, that it gets one item, which the handler gave up, or
//     which failed by itself;
//   - after a clean hand-over, that all that was acknowledged without a gap is committed;
//   - in the end, that everything was handled, and everything is released.
type world struct {
	seed    uint64
	rig     *rig
	src     *tape
	budget  *batch.Budget
	o       batch.Options[int]
	key     func(int) string        // nil: none
	zombies []chan shardset.Outcome // runs that lost the shard and may go on for a while
	drop    func(item int) bool

	mu         sync.Mutex // guards the fields below
	calm       bool       // nothing goes wrong any more
	storeWorks bool
	calls      int // for the dice
	owners     map[uint64]*owner
	ever       map[int]bool // acknowledged by anybody
	tally      tally
	err        error // the first that is wrong
}

// owner is one Process, under one epoch.
type owner struct {
	epoch  uint64
	resume int
	saved  int
	acked  map[int]bool
	given  map[int]error              // what a handler gave up
	alone  map[int]bool               // failed by itself
	dead   map[*batch.Batch[int]]bool // DeadLetter's
	ends   map[int]bool               // of batches
	inside int                        // batches that are being handled
	from   map[string]int             // where the last batch with a key began
	keys   map[string]bool
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{seed: seed, src: newTape(0), owners: map[uint64]*owner{}, ever: map[int]bool{}}
	rng := w.dice("world")
	dropped := rng.IntN(4)
	w.drop = func(item int) bool { return w.dice("drop", item/5, item%2).IntN(6) < dropped }
	w.src.drop = w.drop
	w.src.end = rng.IntN(80)
	w.src.items = rng.IntN(2) == 0
	w.src.delay = time.Duration(rng.IntN(2)*rng.IntN(30)) * time.Millisecond
	w.src.sizes = func(at int) int { return 1 + w.dice("size", at).IntN(10) }
	w.src.openFail = func(batch.Start) error { return w.trouble("open") }
	w.src.fail = func(int) error { return w.trouble("read") }
	if rng.IntN(3) == 0 {
		waits(w.src, func(ctx context.Context) error { return w.src.arrival(ctx, 3*time.Second) })
	}
	w.o = w.options()
	w.rig = newRig(t, w.src)
	w.rig.store.fail, w.rig.store.saved = w.saving, w.saved
	w.rig.factory = func(ctx context.Context, l shardset.Lease) (processor.Processor, error) {
		g := &owner{epoch: l.Epoch, acked: map[int]bool{}, given: map[int]error{}, alone: map[int]bool{}, dead: map[*batch.Batch[int]]bool{}, ends: map[int]bool{}, from: map[string]int{}, keys: map[string]bool{}}
		if p, ok := w.rig.store.Position(testShard); ok {
			g.resume = number(p)
		}
		g.saved = g.resume
		w.locked(func() { w.owners[l.Epoch] = g })
		o := w.o
		if w.letters() {
			o.Attempts = 2
			o.DeadLetter = func(ctx context.Context, b *batch.Batch[int], f batch.Failure) error {
				w.deadLetter(g, b, f)
				return w.handle(ctx, g, b)
			}
		}
		fn := func(ctx context.Context, b *batch.Batch[int]) error {
			w.handler(g, b)
			failed := true
			defer func() {
				if failed {
					w.failed(g, b)
				}
			}()
			err := w.handle(ctx, g, b)
			failed = err != nil || ctx.Err() != nil
			return err
		}
		return batch.Handle(w.src, fn, o)(ctx, l)
	}
	return w
}

func (w *world) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// wrong remembers the first thing that is.
func (w *world) wrong(format string, args ...any) {
	w.locked(func() {
		if w.err == nil {
			w.err = fmt.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
		}
	})
}

// dice gives the same numbers for the same seed and occasion, whatever else goes on.
func (w *world) dice(what string, n ...int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, what, n)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// roll is dice for the next occasion of its kind, or nil if nothing goes wrong any more.
func (w *world) roll(what string) *rand.Rand {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm || w.storeWorks && what == "save" {
		return nil
	}
	w.calls++
	return w.dice(what, w.calls)
}

// trouble is what goes wrong in the source.
func (w *world) trouble(what string) error {
	rng := w.roll(what)
	if rng == nil || rng.IntN(4) > 0 {
		return nil
	}
	w.locked(func() { w.tally.unread++ })
	switch rng.IntN(4) {
	case 0:
		return batch.ErrThrottled
	case 1:
		panic("the source is ill")
	}
	return errLine
}

// saving is what goes wrong in the store.
func (w *world) saving(processor.Position) error {
	rng := w.roll("save")
	if rng == nil || rng.IntN(4) > 0 {
		return nil
	}
	w.locked(func() { w.tally.unsaved++ })
	if rng.IntN(3) == 0 {
		panic("the store is ill")
	}
	return errLine
}

// saved checks a commit that went through. The answer may still be lost.
func (w *world) saved(o processor.Owner, p processor.Position) error {
	at := number(p)
	w.locked(func() {
		w.tally.saves++
		g := w.owners[o.Lease.Epoch]
		for item := g.resume; item < at; item++ {
			if !w.drop(item) && !g.acked[item] && w.err == nil {
				w.err = fmt.Errorf("seed %d: epoch %d committed %d, and item %d is not acknowledged", w.seed, g.epoch, at, item)
			}
		}
		if at < g.saved && w.err == nil {
			w.err = fmt.Errorf("seed %d: epoch %d committed %d after %d", w.seed, g.epoch, at, g.saved)
		}
		g.saved = at
	})
	if rng := w.roll("save"); rng != nil && rng.IntN(8) == 0 {
		return errLine
	}
	return nil
}

// handle is the handler. What it does with a batch is up to the dice.
func (w *world) handle(ctx context.Context, g *owner, b *batch.Batch[int]) error {
	w.enter(g, b)
	defer w.leave(g, b)
	rng := w.roll("handle")
	if rng == nil {
		return w.done(ctx, g, b)
	}
	if rng.IntN(2) == 0 {
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
	}
	if w.letters() && rng.IntN(6) == 0 {
		w.giveUp(g, b, rng)
	}
	switch rng.IntN(16) {
	case 0:
		return errLine
	case 1:
		panic("the handler is ill")
	case 2:
		runtime.Goexit()
	case 3: // ignores its context; its later result counts for nothing
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(20)) * time.Second):
		}
		return w.done(ctx, g, b)
	case 4:
		<-b.Revoked()
		return errors.New("revoked")
	case 5, 6, 7:
		w.some(g, b, rng)
		return errLine
	case 8:
		w.some(g, b, rng)
		panic("the handler is ill")
	case 9:
		w.acknowledge(g, w.kept(g, b)...)
		b.Ack()
		time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
		return errLine
	case 10:
		w.acknowledge(g, w.kept(g, b)...)
		b.Ack()
		runtime.Goexit()
	}
	return w.done(ctx, g, b)
}
