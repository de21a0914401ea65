package batch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

func TestAnIdleShardIsReadAboutOnceASecond(t *testing.T) {
	for _, c := range []struct {
		name     string
		min, max time.Duration
		low      int // reads in 10 minutes
		high     int
	}{
		{"by default", 0, 0, 600, 670},
		{"at most every 10 s", 0, 10 * time.Second, 60, 67},
		{"always every 2 s", 2 * time.Second, 2 * time.Second, 300, 335},
	} {
		synctest.Test(t, func(t *testing.T) {
			src := newTape(10)
			r := newRig(t, src).handle(nil, batch.Options[int]{MinPause: c.min, MaxPause: c.max}).start(1)
			time.Sleep(2 * time.Minute)
			before := src.readCount()
			time.Sleep(10 * time.Minute)
			if n := src.readCount() - before; n < c.low || n > c.high {
				t.Errorf("%s: an idle shard was read %d times in 10 minutes, want %d to %d", c.name, n, c.low, c.high)
			}
			r.endWith(processor.ErrLeaseLost)
		})
	}
}

func TestPausesFallBackAtOnceWhenDataComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(0)
		at := readTimes(src)
		var waited []time.Duration
		var added time.Time
		r := newRig(t, src)
		r.handle(func(context.Context, *batch.Batch[int]) error {
			r.locked(func() { waited = append(waited, time.Since(added)) })
			return nil
		}, batch.Options[int]{}).start(1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if last := pauses(*at); last[len(last)-1] < 900*time.Millisecond {
			t.Errorf("after an hour of silence the pause is %v", last[len(last)-1])
		}
		for range 100 { // a trickle
			r.locked(func() { added = time.Now() })
			src.add(1)
			for d := 350 * time.Millisecond; len(r.got()) < src.size(); d = 100 * time.Millisecond {
				time.Sleep(d) // the first one meets the longest pause
			}
		}
		for i, d := range waited {
			bound := batch.DefaultMinPause
			if i == 0 {
				bound = batch.DefaultMaxPause
			}
			if d > bound {
				t.Errorf("item %d waited for %v, want %v at most", i, d, bound)
			}
		}
		if n := len(r.got()); n != 100 {
			t.Errorf("%d items were handled, want 100", n)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// A worker that is behind reads back to back.
func TestNoPauseWhileBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(1000)
		src.perRead = 1
		begin := time.Now()
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		if n := len(r.got()); n != 1000 || time.Since(begin) != 0 {
			t.Errorf("%d of 1000 items were handled after %v, want all at once", n, time.Since(begin))
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// A filter that drops everything neither slows the reading down nor fills memory, and
// the cursor moves.
func TestAFilterThatDropsEverythingIsReadThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10_000)
		src.perRead = 1
		src.drop = func(item int) bool { return item != 3 }
		r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error {
			time.Sleep(time.Minute)
			return nil
		}, batch.Options[int]{}).start(1)
		if n := src.readCount(); n < 10_000 {
			t.Errorf("%d reads while one batch is handled, want 10000: there is nothing to keep of them", n)
		}
		if p := r.store.last(); p != "" && number(p) > 3 {
			t.Errorf("committed %q before item 3 was handled", p)
		}
		time.Sleep(2 * time.Minute)
		if p := r.store.last(); p != "10000" {
			t.Errorf("committed %q, want 10000", p)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}
