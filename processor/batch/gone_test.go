package batch_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// goneAfter makes reads fail with ErrGone once the shard was read up to a place. If the place is negative,
// the opening fails too.
func goneAfter(src *tape, place int) {
	err := fmt.Errorf("no such shard: %w", batch.ErrGone)
	src.fail = func(at int) error {
		if at >= place {
			return err
		}
		return nil
	}
	src.openFail = func(batch.Start) error {
		if place < 0 {
			return err
		}
		return nil
	}
}

// TestAShardThatIsGoneHalts by default, so that an operator sees it. What was read before is
// handled and committed.
func TestAShardThatIsGoneHalts(t *testing.T) {
	for _, place := range []int{-1, 20} {
		bubble(t, fmt.Sprint(place), func(t *testing.T) {
			src := newTape(100)
			src.perRead = 10
			goneAfter(src, place)
			begin := time.Now()
			var at time.Duration
			r := newRig(t, src).handle(nil, batch.Options[int]{})
			r.start(1)
			for !r.run.Status().Halted && time.Since(begin) < time.Hour {
				time.Sleep(100 * time.Millisecond)
				at = time.Since(begin)
			}
			checkHalted(t, r, true)
			if at < 2*time.Second || at > time.Minute {
				t.Errorf("halted after %v, want not within two seconds: it may be mended", at)
			}
			checkItems(t, "handled", r.got(), upTo(max(0, place)))
			if len(r.gaps()) != 0 {
				t.Errorf("gaps were reported: %v", r.gaps())
			}
			r.run.Revoke(processor.ErrRevoked)
			r.finish()
		})
	}
}

// TestAShardThatIsGoneIsAGap: with Options.Expired, the gap is reported once, although OnGap fails at
// first. After that, the shard counts as closed.
func TestAShardThatIsGoneIsAGap(t *testing.T) {
	for name, c := range map[string]struct {
		place int
		lost  processor.Position
	}{"when it is opened": {-1, ""}, "while it is read": {20, "20"}, "at the end that was read": {100, "100"}} {
		for refused, fail := range map[string]error{"": nil, ", and refuses commits": errLine} {
			bubble(t, name+refused, func(t *testing.T) {
				src := newTape(100)
				src.perRead = 10
				goneAfter(src, c.place)
				told := 0
				r := newRig(t, src)
				r.store.set(func(s *store) { s.fail = func(processor.Position) error { return fail } })
				r.handle(func(context.Context, *batch.Batch[int]) error { time.Sleep(time.Second); return nil },
					batch.Options[int]{Expired: batch.Earliest(), CommitInterval: time.Hour,
						OnGap: func(_ context.Context, _ shardset.ID, g processor.Gap) error {
							if told++; told < 3 {
								return errLine
							}
							return nil
						}}).start(1)
				if got := r.finish(); got != ended {
					t.Errorf("the outcome is %v, want ended", got)
				}
				if len(r.gaps()) != 1 || told != 3 {
					t.Fatalf("gaps %v were noted, and OnGap called %d times; want one, until OnGap succeeded", r.gaps(), told)
				}
				if g := r.gaps()[0]; g.Lost != c.lost || g.Resumed != "" || g.Err == nil {
					t.Errorf("the gap is %+v, want from %q to nowhere", g, c.lost)
				}
				checkItems(t, "handled", r.got(), upTo(max(0, c.place)))
				want := c.lost
				if fail != nil {
					want = ""
				}
				if got := r.store.last(); got != want {
					t.Errorf("stored %q, want %q", got, want)
				}
			})
		}
	}
}

// TestAShardThatIsGoneForAMoment is read on. Nothing is lost or reported.
func TestAShardThatIsGoneForAMoment(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(100)
		src.perRead, src.closed = 10, true
		times := 0
		src.fail = func(at int) error {
			if at == 20 || at == 50 {
				if times++; times%4 != 0 {
					return batch.ErrGone
				}
			}
			return nil
		}
		r := newRig(t, src).handle(nil, batch.Options[int]{Expired: batch.Latest()}).start(1)
		if got := r.finish(); got != ended || len(r.gaps()) != 0 || !slices.Equal(r.got(), upTo(100)) {
			t.Errorf("the outcome is %v, with the gaps %v and %d items", got, r.gaps(), len(r.got()))
		}
	})
}

// TestAShardThatIsGoneAndTakenAway: the group revokes a shard that is gone. The gap is reported, whatever
// Options.Expired is, because there is no later owner.
func TestAShardThatIsGoneAndTakenAway(t *testing.T) {
	for name, o := range map[string]batch.Options[int]{
		"no policy": {},
		"a policy":  {Expired: batch.Earliest()},
		"somebody who does not listen": {Expired: batch.Latest(),
			OnGap: func(context.Context, shardset.ID, processor.Gap) error { return errLine }},
	} {
		for _, late := range []time.Duration{0, time.Second, time.Hour} {
			bubble(t, fmt.Sprintf("%s/%v", name, late), func(t *testing.T) {
				src := newTape(100)
				src.perRead = 10
				goneAfter(src, 20)
				r := newRig(t, src).handle(nil, o).start(1)
				time.Sleep(late)
				r.run.Revoke(processor.ErrRevoked)
				r.finish()
				want := 1
				if o.OnGap != nil || late == time.Hour && (o.Expired == batch.Initial{}) {
					want = 0
				}
				if len(r.gaps()) != want {
					t.Errorf("the gaps %v were noted, want %d", r.gaps(), want)
				}
				if want == 1 && (r.gaps()[0].Lost != "20" || r.gaps()[0].Resumed != "") {
					t.Errorf("the gap is %+v", r.gaps()[0])
				}
				if got := r.store.last(); got != "20" {
					t.Errorf("stored %q, want 20", got)
				}
			})
		}
	}
}

// TestARevokedShardIsProbed: the group revokes a shard that was not read to its end. One more read finds out
// whether the shard is gone.
func TestARevokedShardIsProbed(t *testing.T) {
	slow := func(context.Context, *batch.Batch[int]) error { time.Sleep(10 * time.Second); return nil }
	for name, c := range map[string]struct {
		cause error
		items int
		gone  bool
		hangs bool
		gaps  int
		reads int // after it was revoked
	}{
		"gone":            {cause: processor.ErrRevoked, items: 100, gone: true, gaps: 1, reads: 1},
		"there":           {cause: processor.ErrRevoked, items: 100, reads: 1},
		"slow to answer":  {cause: processor.ErrRevoked, items: 100, gone: true, hangs: true, reads: 1},
		"shutdown":        {cause: processor.ErrShutdown, items: 100, gone: true},
		"lost":            {cause: processor.ErrLeaseLost, items: 100, gone: true},
		"read to its end": {cause: processor.ErrRevoked, items: 10, gone: true},
	} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(c.items)
			src.perRead = 10
			r := newRig(t, src).handle(slow, batch.Options[int]{Prefetch: -1}).start(1)
			time.Sleep(time.Second)
			if c.gone {
				goneAfter(src, 0)
			}
			if c.hangs {
				src.set(func(t *tape) { t.delay = time.Hour })
			}
			before := src.count(func(t *tape) int { return t.reads })
			begin := time.Now()
			if c.cause == processor.ErrLeaseLost {
				r.run.Cancel(c.cause)
			} else {
				r.run.Revoke(c.cause)
			}
			r.finish()
			if took := time.Since(begin); took > 9*time.Second {
				t.Errorf("it took %v, want the 9 s of the handler", took)
			}
			if got := src.count(func(t *tape) int { return t.reads }) - before; got != c.reads || len(r.gaps()) != c.gaps {
				t.Errorf("%d reads and the gaps %v, want %d and %d gaps", got, r.gaps(), c.reads, c.gaps)
			}
		})
	}
}
