package batch_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// TestAPositionThatHasExpiredForAMoment: reads fail with ErrExpired for less than two seconds. The shard
// goes on at the same position, whatever Options.Expired is. The error may come from a node that lags.
func TestAPositionThatHasExpiredForAMoment(t *testing.T) {
	for name, expired := range map[string]batch.Initial{
		"no policy": {}, "earliest": batch.Earliest(), "latest": batch.Latest(), "a time": batch.At(time.Unix(70, 0)),
	} {
		for how, fail := range map[string]func(since time.Duration, times int) bool{
			"a single answer": func(_ time.Duration, times int) bool { return times == 1 },
			"some answers":    func(since time.Duration, _ int) bool { return since < 1500*time.Millisecond },
		} {
			for _, open := range []bool{false, true} {
				bubble(t, fmt.Sprintf("%s/%s/%v", name, how, open), func(t *testing.T) {
					src := newTape(100)
					src.perRead, src.closed = 10, true
					src.since = func(at time.Time) int { return int(at.Unix()) }
					since, times := map[int]time.Time{}, map[int]int{}
					odd := func(at int) error {
						if times[at]++; times[at] == 1 {
							since[at] = time.Now()
						}
						if fail(time.Since(since[at]), times[at]) {
							return fmt.Errorf("no such cursor: %w", batch.ErrExpired)
						}
						return nil
					}
					if open {
						src.openFail = func(batch.Start) error { return odd(0) }
					} else {
						src.fail = func(at int) error {
							if at == 20 || at == 50 {
								return odd(at)
							}
							return nil
						}
					}
					r := newRig(t, src)
					r.resumeAt("10")
					r.handle(nil, batch.Options[int]{Expired: expired}).start(2)
					if got := r.finish(); got != ended || len(r.gaps()) != 0 || !slices.Equal(r.got(), upTo(100)[10:]) {
						t.Errorf("the outcome is %v, with the gaps %v and %d items", got, r.gaps(), len(r.got()))
					}
				})
			}
		}
	}
}

// TestEachGapIsConfirmed: the two seconds begin again when ErrExpired is followed by ErrGone, and when a
// position after a gap expires too.
func TestEachGapIsConfirmed(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(100)
		src.perRead, src.closed = 10, true
		times := 0
		src.fail = func(at int) error {
			if at < 20 {
				return nil
			}
			if times++; times%2 == 0 {
				return batch.ErrGone
			}
			return batch.ErrExpired
		}
		r := newRig(t, src).handle(nil, batch.Options[int]{Expired: batch.Earliest()}).start(1)
		time.Sleep(time.Minute)
		if len(r.gaps()) != 0 {
			t.Errorf("the gaps %v were reported: neither lasted long", r.gaps())
		}
		once := true
		src.set(func(s *tape) {
			s.fail = func(at int) error {
				if at == 50 && once {
					once = false
					return batch.ErrExpired
				}
				return nil
			}
			s.begin = 50
		})
		got := r.finish()
		if got != ended || len(r.gaps()) != 1 || r.gaps()[0].Lost != "20" || r.gaps()[0].Resumed != "50" {
			t.Errorf("the outcome is %v, with the gaps %+v; want one from 20 to 50", got, r.gaps())
		}
		if want := append(upTo(20), upTo(100)[50:]...); !slices.Equal(r.got(), want) {
			t.Errorf("handled %v", r.got())
		}
	})
}

// TestAnExpiredPositionIsTrouble: until the gap is confirmed, the error is shown as trouble, and the
// pauses between the reads grow.
func TestAnExpiredPositionIsTrouble(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(100)
		src.begin = 50
		r := newRig(t, src)
		r.resumeAt("10")
		r.handle(nil, batch.Options[int]{}).start(2)
		time.Sleep(2*time.Second - 1)
		if s := r.run.Status(); s.Halted || !errors.Is(s.Progress.Trouble, batch.ErrExpired) {
			t.Errorf("after two seconds halted is %v, with the trouble %v", s.Halted, s.Progress.Trouble)
		}
		time.Sleep(time.Minute)
		if s := r.run.Status(); !s.Halted {
			t.Error("after a minute it is not halted")
		}
		if n := src.count(func(t *tape) int { return len(t.opens) }); n < 3 || n > 15 {
			t.Errorf("it was looked for %d times", n)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
	})
}
