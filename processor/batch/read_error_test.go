package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

var errLine = errors.New("the line is broken")

// readTimes has the tape note when it is read.
func readTimes(t *tape) *[]time.Time {
	var at []time.Time
	t.onRead = func(context.Context) { at = append(at, time.Now()) }
	return &at
}

// pauses is the times between.
func pauses(at []time.Time) (d []time.Duration) {
	for i := 1; i < len(at); i++ {
		d = append(d, at[i].Sub(at[i-1]))
	}
	return d
}

func TestReadsThatFailBackOffAndRecover(t *testing.T) {
	for _, c := range []struct {
		err          error
		first, bound time.Duration
	}{
		{errLine, 200 * time.Millisecond, 10 * time.Second},
		{batch.ErrThrottled, time.Second, 30 * time.Second},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newTape(20)
				src.perRead, src.closed = 1, true
				at := readTimes(src)
				failures := 0
				src.fail = func(at int) error {
					if (at == 5 || at == 10) && failures < 12 {
						failures++
						return c.err
					}
					if at == 7 {
						failures = 0
					}
					return nil
				}
				r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
				r.finish()
				if got := r.got(); !slices.Equal(got, upTo(20)) {
					t.Errorf("handled %v", got)
				}
				d := pauses(*at)
				for _, first := range []int{5, 5 + 12 + 5} { // the second time it begins anew
					want := c.first
					for i := range 12 {
						if d := d[first+i]; d < want/2 || d > want*3/2 {
							t.Errorf("the pause after failure %d is %v, want about %v", i+1, d, want)
						}
						want = min(2*want, c.bound)
					}
				}
				if opens := len(src.opens); opens != 1 {
					t.Errorf("the shard was opened %d times, want once", opens)
				}
				if n := len(r.failed); n != 0 {
					t.Errorf("the processor was restarted: %v", r.failed)
				}
			})
		})
	}
}

func TestOpeningThatFailsBacksOffAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(20)
		tape.closed = true
		begin := time.Now()
		tape.openFail = func(batch.Start) error {
			if len(tape.opens) <= 4 {
				return errLine
			}
			return nil
		}
		budget := batch.NewBudget(1000, 1)
		r := newRig(t, tape).handle(nil, batch.Options[int]{Budget: budget}).start(1)
		if budget.FreeReads() != 1 || budget.Free() != 1000 {
			t.Error("a pause holds a part of the budget")
		}
		r.finish()
		if took := time.Since(begin); took < 1500*time.Millisecond || took > 4500*time.Millisecond {
			t.Errorf("four failures took %v, want about 3s", took)
		}
		if got := r.got(); !slices.Equal(got, upTo(20)) {
			t.Errorf("handled %v", got)
		}
	})
}

// later is an error that knows when to come again.
type later time.Duration

func (l later) Error() string             { return "come again later" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

func TestAPauseThatAnErrorAsksForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(3)
		tape.perRead, tape.closed = 1, true
		at := readTimes(tape)
		failed := false
		tape.fail = func(at int) error {
			if at == 1 && !failed {
				failed = true
				return fmt.Errorf("%w: %w", batch.ErrThrottled, later(time.Hour))
			}
			return nil
		}
		r := newRig(t, tape).handle(nil, batch.Options[int]{}).start(1)
		r.finish()
		if d := pauses(*at); d[1] != time.Hour {
			t.Errorf("the pause is %v, want 1h", d[1])
		}
	})
}

func TestThrottlingSlowsOnlyItsShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1<<10, 1)
		slow, quick := newTape(10), newTape(0)
		slow.fail = func(int) error { return batch.ErrThrottled }
		at := readTimes(slow)
		o := batch.Options[int]{Budget: budget}
		throttled := newRig(t, slow).handle(nil, o).start(1)
		var worst time.Duration
		var added time.Time
		other := newRig(t, quick).handle(func(context.Context, *batch.Batch[int]) error {
			worst = max(worst, time.Since(added))
			return nil
		}, o).start(1)
		for range 600 {
			time.Sleep(time.Second)
			synctest.Wait()
			added = time.Now()
			quick.add(1)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(other.got()); n != 600 || worst > 300*time.Millisecond {
			t.Errorf("the other shard handled %d of 600, after %v at worst", n, worst)
		}
		if n := len(*at); n < 20 || n > 60 {
			t.Errorf("the throttled shard was read %d times in 10 minutes, want 20 to 60", n)
		}
		for i, d := range pauses(*at) {
			if d < 500*time.Millisecond || d > 30*time.Second {
				t.Errorf("pause %d is %v", i, d)
			}
		}
		throttled.endWith(processor.ErrLeaseLost)
		other.endWith(processor.ErrLeaseLost)
	})
}

// Halt and Fatal from a source take effect, after what was read before is handled.
func TestAnErrorOfTheSourceMayStopTheShardOrTheGroup(t *testing.T) {
	for _, c := range []struct {
		name string
		mark func(error) error
		open bool
		want shardset.Outcome
	}{
		{"halt in Read", processor.Halt, false, shardset.OutcomeReleased},
		{"halt in Open", processor.Halt, true, shardset.OutcomeReleased},
		{"fatal in Read", processor.Fatal, false, shardset.OutcomeFailed},
		{"fatal in Open", processor.Fatal, true, shardset.OutcomeFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(20)
				tape.perRead = 2
				want := processor.Position("6")
				if c.open {
					tape.openFail = func(batch.Start) error { return c.mark(errLine) }
					want = ""
				}
				tape.fail = func(at int) error {
					if at == 6 {
						return fmt.Errorf("read: %w", c.mark(errLine))
					}
					return nil
				}
				r := newRig(t, tape).handle(func(context.Context, *batch.Batch[int]) error {
					time.Sleep(time.Hour)
					return nil
				}, batch.Options[int]{}).start(1)
				time.Sleep(10 * time.Hour)
				synctest.Wait()
				if p := r.store.last(); p != want {
					t.Errorf("committed %q, want %q", p, want)
				}
				if c.want == shardset.OutcomeReleased {
					if !errors.Is(r.halted, errLine) {
						t.Errorf("the shard was halted with %v", r.halted)
					}
					r.run.Revoke(processor.ErrRevoked)
				} else if !errors.Is(r.run.Fatal(), errLine) {
					t.Errorf("the worker ends with %v", r.run.Fatal())
				}
				if o := r.finish(); o != c.want {
					t.Errorf("the outcome is %v, want %v", o, c.want)
				}
			})
		})
	}
}
