package batch_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the one random schedule with this seed; 0: many new ones")
	seedsFlag = flag.Int("seeds", 120, "number of random schedules")
)

// TestRandomSchedules has one shard processed while everything around it goes wrong at
// random: reads, handlers, commits, and owners that come and go. Whatever happens,
// only what is acknowledged is committed, all of that after a clean hand-over, and in
// the end everything was handled. See world for the checks.
func TestRandomSchedules(t *testing.T) {
	first, n := *seedFlag, 1
	if first == 0 {
		first, n = rand.Uint64()>>16+1, *seedsFlag
	}
	var total tally
	for i := range n {
		seed := first + uint64(i)
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			if err := w.live(); err != nil {
				t.Errorf("%v\nreplay: go test -run TestRandomSchedules -seed %d ./processor/batch", err, seed)
			}
			total.add(w.tally)
		})
	}
	t.Logf("%d schedules: %+v", n, total)
	if n == *seedsFlag && n > 100 {
		for what, got := range map[string]int{
			"clean hand-overs": total.clean, "losses": total.lost, "drains that took too long": total.late,
			"dead letters": total.dead, "items given up": total.given, "failed commits": total.unsaved, "failed reads": total.unread, "commits": total.saves,
			"batches handled beside others": total.abreast,
		} {
			if got < n/10 {
				t.Errorf("%d schedules had %d %s: too few to mean anything", n, got, what)
			}
		}
	}
}

// tally is what happened, to see that enough did.
type tally struct{ clean, late, lost, saves, unsaved, unread, dead, given, abreast int }

func (a *tally) add(b tally) {
	a.clean += b.clean
	a.late += b.late
	a.lost += b.lost
	a.saves += b.saves
	a.unsaved += b.unsaved
	a.unread += b.unread
	a.dead += b.dead
	a.given += b.given
	a.abreast += b.abreast
}

// live runs the schedule: owners under one epoch after the other, and a last one with
// whom nothing goes wrong any more.
func (w *world) live() error {
	rng := w.dice("owners")
	epoch := uint64(1)
	for range 1 + rng.IntN(5) {
		w.begin(epoch)
		for range 1 + rng.IntN(4) {
			time.Sleep(time.Duration(rng.Int64N(int64(4 * time.Second))))
			w.src.add(rng.IntN(20))
		}
		w.endRun(epoch, rng)
		epoch++
	}
	w.locked(func() { w.calm = true })
	w.src.set(func(t *tape) { t.closed, t.delay = true, 0 })
	w.src.add(1) // wakes the waiting readers
	w.begin(epoch)
	select {
	case o := <-w.rig.out:
		if o != shardset.OutcomeClosed {
			w.wrong("the last outcome is %v, want ended", o)
		}
	case <-time.After(2 * time.Hour):
		w.rig.run.Cancel(processor.ErrLeaseLost)
		<-w.rig.out
		w.wrong("the last owner did not come to the end: at %q of %d", w.rig.store.last(), w.src.size())
	}
	for _, out := range w.zombies {
		<-out
	}
	synctest.Wait()
	w.inspect()
	return w.err
}

// begin starts a run under an epoch.
func (w *world) begin(epoch uint64) {
	w.locked(func() { w.storeWorks = false })
	w.rig.out = make(chan shardset.Outcome, 1)
	w.rig.start(epoch)
}

// endRun takes the shard away: with notice, or without.
func (w *world) endRun(epoch uint64, rng *rand.Rand) {
	run, out := w.rig.run, w.rig.out
	if rng.IntN(3) == 0 {
		w.tally.lost++
		run.Cancel(processor.ErrLeaseLost)
		w.zombies = append(w.zombies, out) // the next owner does not wait for it
		return
	}
	w.locked(func() { w.storeWorks = true })
	run.Revoke(processor.ErrRevoked)
	select {
	case <-out:
		w.tally.clean++
		w.handedOver(epoch)
	case <-time.After(time.Duration(1+rng.IntN(10)) * time.Second):
		w.tally.late++
		run.Cancel(processor.ErrRevoked)
		<-out
	}
}

// options makes up how the shard is processed.
func (w *world) options() batch.Options[int] {
	rng := w.dice("options")
	bytes := 100 * (1 + rng.Int64N(8)) // so many items
	w.budget = batch.NewBudget(bytes*(1+rng.Int64N(16)), 1+rng.IntN(3))
	o := batch.Options[int]{
		Budget: w.budget, BatchBytes: bytes, BatchItems: 1 + rng.IntN(10), Prefetch: rng.IntN(5) - 1, Concurrency: 1 + rng.IntN(4),
		HandleItems:    rng.IntN(2) * rng.IntN(6),
		CommitInterval: time.Duration(1 + rng.Int64N(int64(3*time.Second))), CommitItems: rng.IntN(3) * rng.IntN(10),
		Retry: processor.Backoff{Min: 10 * time.Millisecond, Max: time.Second},
	}
	if rng.IntN(2) == 0 {
		w.key = func(item int) string { return fmt.Sprint(item % 7) }
		o.Key = w.key
	}
	if rng.IntN(2) == 0 {
		o.Timeout = 700*time.Millisecond + 1 // ends at no instant at which a handler does
	}
	return o
}
