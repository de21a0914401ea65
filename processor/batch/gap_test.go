package batch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// By default the shard is halted, and what was read before is handled and committed.
func TestAnExpiredPositionHaltsTheShard(t *testing.T) {
	for _, c := range []struct {
		name   string
		resume processor.Position
		begin  int // when it is opened
		want   processor.Position
		got    []int
	}{
		{"when it is opened", "10", 20, "10", nil},
		{"while it is read", "10", 0, "14", upTo(14)[10:]},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newTape(100)
				src.perRead, src.begin = 2, c.begin
				src.fail = func(at int) error {
					if at == 14 {
						src.begin = 50
					}
					return nil
				}
				r := newRig(t, src)
				r.resumeAt(c.resume)
				r.handle(func(context.Context, *batch.Batch[int]) error {
					time.Sleep(time.Minute)
					return nil
				}, batch.Options[int]{}).start(2)
				time.Sleep(time.Hour)
				synctest.Wait()
				if !errors.Is(r.halted, batch.ErrExpired) {
					t.Errorf("the shard was halted with %v, want %v", r.halted, batch.ErrExpired)
				}
				if p, _ := r.store.Position(testShard); p != c.want {
					t.Errorf("committed %q, want %q", p, c.want)
				}
				if got := r.got(); !slices.Equal(got, c.got) {
					t.Errorf("handled %v, want %v", got, c.got)
				}
				r.run.Revoke(processor.ErrRevoked)
				if o := r.finish(); o != shardset.OutcomeReleased {
					t.Errorf("the outcome is %v, want released", o)
				}
				if len(r.gaps()) != 0 {
					t.Errorf("gaps were reported: %v", r.gaps())
				}
			})
		})
	}
}

// With Options.Expired, the gap is reported, and then the shard goes on after it.
func TestReadingGoesOnBehindAGap(t *testing.T) {
	for _, c := range []struct {
		name    string
		expired batch.Initial
		open    bool // it is expired when it is opened
		resumed int
	}{
		{"at the earliest, when opened", batch.Earliest(), true, 50},
		{"at the latest, when opened", batch.Latest(), true, 100},
		{"at a time, when opened", batch.At(time.Unix(70, 0)), true, 70},
		{"at the earliest, while read", batch.Earliest(), false, 50},
		{"at the latest, while read", batch.Latest(), false, 100},
		{"at a time, while read", batch.At(time.Unix(70, 0)), false, 70},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newTape(100)
				src.perRead = 2
				src.since = func(at time.Time) int { return int(at.Unix()) }
				lost, before := processor.Position("14"), upTo(14)[10:]
				if c.open {
					src.begin, lost, before = 50, "10", nil
				}
				src.fail = func(at int) error {
					if at == 14 {
						src.begin = 50
					}
					return nil
				}
				r := newRig(t, src)
				r.resumeAt("10")
				told := 0
				var handledThen []int
				r.handle(func(_ context.Context, b *batch.Batch[int]) error {
					time.Sleep(time.Second)
					if b.Items[0] >= 50 && told < 4 {
						t.Errorf("item %d was handled before the gap was reported", b.Items[0])
					}
					return nil
				}, batch.Options[int]{Expired: c.expired, OnGap: func(_ context.Context, id shardset.ID, g processor.Gap) error {
					if g.Lost != lost || g.Resumed != position(c.resumed) || !errors.Is(g.Err, batch.ErrExpired) || id != testShard {
						t.Errorf("reported the gap %+v of %v, want from %q to %d", g, id, lost, c.resumed)
					}
					handledThen = r.got()
					told++
					switch told { // it fails at first
					case 1, 2:
						return errLine
					case 3:
						panic("not now")
					}
					return nil
				}}).start(2)
				time.Sleep(time.Minute)
				synctest.Wait()
				if told != 4 {
					t.Errorf("the gap was reported %d times, want 4, until OnGap succeeded", told)
				}
				if len(handledThen) > len(before) {
					t.Errorf("%v was handled before the gap was reported", handledThen)
				}
				if len(r.gaps()) != 1 {
					t.Errorf("gaps %v were reported, want one", r.gaps())
				}
				if got, want := r.got(), append(before, upTo(100)[c.resumed:]...); !slices.Equal(got, want) {
					t.Errorf("handled %v, want %v", got, want)
				}
				if p := r.store.last(); p != "100" {
					t.Errorf("committed %q, want 100", p)
				}
				r.endWith(processor.ErrLeaseLost)
			})
		})
	}
}

// The next owner goes on after the gap, even if no items came there.
func TestThePositionBehindAGapIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.begin = 50
		r := newRig(t, src)
		r.resumeAt("10")
		r.handle(stuck, batch.Options[int]{Expired: batch.Earliest()}).start(2)
		time.Sleep(time.Minute)
		if p := r.store.last(); p != "50" {
			t.Errorf("committed %q, want 50", p)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// Items that were read before the gap are not lost: while their batch fails, the position after the gap is
// not committed.
func TestAGapDoesNotCoverWhatIsNotHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead = 2
		src.fail = func(at int) error {
			if at == 4 {
				src.begin = 50
			}
			return nil
		}
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Items[0] == 2 {
				return errLine
			}
			return nil
		}, batch.Options[int]{Expired: batch.Latest(), Prefetch: 10}).start(1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if p := r.store.last(); p != "2" {
			t.Errorf("committed %q, want 2", p)
		}
		if len(r.gaps()) != 1 {
			t.Errorf("gaps %v were noted, want one", r.gaps())
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
		if p := r.store.last(); p != "2" {
			t.Errorf("in the end, committed %q, want 2", p)
		}
	})
}

// If the position after a gap expires too, that is another gap.
func TestAGapBehindAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.begin = 50
		src.fail = func(at int) error {
			if at == 50 {
				src.begin = 60
			}
			return nil
		}
		r := newRig(t, src)
		r.resumeAt("10")
		r.handle(nil, batch.Options[int]{Expired: batch.Earliest()}).start(2)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.gaps()) != 2 || r.gaps()[0].Resumed != "50" || r.gaps()[1].Lost != "50" || r.gaps()[1].Resumed != "60" {
			t.Errorf("gaps %v were noted, want 10 to 50 and 50 to 60", r.gaps())
		}
		if got := r.got(); !slices.Equal(got, upTo(100)[60:]) {
			t.Errorf("handled %v", got)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}
