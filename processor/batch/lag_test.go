package batch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// wantLag checks what the status says about the end of the shard. Half a minute is what
// pauses and spread may add.
func (r *rig) wantLag(when string, lag time.Duration, caughtUp bool) {
	r.t.Helper()
	synctest.Wait()
	p := r.run.Status().Progress
	if p.Lag < lag || p.Lag > lag+30*time.Second || p.CaughtUp != caughtUp {
		r.t.Errorf("%s: lag %v, caught up %v, want about %v and %v", when, p.Lag, p.CaughtUp, lag, caughtUp)
	}
}

// TestLagIsOfNow: the status shows how far the shard is behind now, even if the last read was an hour ago.
func TestLagIsOfNow(t *testing.T) {
	const hour = time.Hour
	still := func(ctx context.Context, b *batch.Batch[int]) error {
		select {
		case <-time.After(hour):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	tests := []struct {
		name   string
		items  int // at one second each: see tape
		handle func(context.Context, *batch.Batch[int]) error
		o      batch.Options[int]
		setUp  func(src *tape)
		lag    time.Duration // before the hour
		caught bool
		after  time.Duration // after it
		still  bool          // caught up, after it
	}{
		{name: "idle", caught: true, still: true},
		{name: "everything handled", items: 20, caught: true, still: true},
		{name: "the handler stands still, and reading has to wait", items: 100, handle: still, lag: 90 * time.Second, after: hour},
		{name: "the handler stands still, and all was read", items: 10, handle: still, after: hour},
		{name: "a batch fails", items: 10, handle: func(context.Context, *batch.Batch[int]) error { return errBad }, after: hour},
		{name: "halted", items: 10, handle: func(context.Context, *batch.Batch[int]) error { return errBad },
			o: batch.Options[int]{Attempts: 1}, after: hour},
		{name: "reads fail", items: 20, caught: true, after: hour - time.Minute, setUp: func(src *tape) {
			src.fail = func(at int) error {
				if time.Since(start2000) > time.Minute {
					return errLine
				}
				return nil
			}
		}},
		{name: "a read hangs", items: 20, caught: true, after: hour - time.Minute, setUp: func(src *tape) {
			src.onRead = func(ctx context.Context) {
				if time.Since(start2000) > time.Minute {
					<-ctx.Done()
				}
			}
		}},
		{name: "the reader waits for data", items: 20, caught: true, still: true, setUp: func(src *tape) {
			waits(src, func(ctx context.Context) error { return src.arrival(ctx, 24*hour) })
		}},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(tt.items)
			src.perRead = 10
			if tt.setUp != nil {
				tt.setUp(src)
			}
			tt.o.Prefetch = -1
			r := newRig(t, src).handle(tt.handle, tt.o).start(1)
			time.Sleep(10 * time.Second)
			r.wantLag("soon", tt.lag, tt.caught)
			time.Sleep(hour - 11*time.Second)
			r.wantLag("after an hour", tt.lag+tt.after-time.Second, tt.still)
			r.endWith(processor.ErrLeaseLost)
		})
	}
}

// start2000 is when the fake time of a bubble begins.
var start2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestLagOfABusyShard: it is the lag of the oldest batch that is not acknowledged.
func TestLagOfABusyShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(1000)
		src.perRead = 10
		r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error { time.Sleep(time.Minute); return nil },
			batch.Options[int]{Prefetch: 3}).start(1)
		time.Sleep(90 * time.Second)
		// The second batch was read at the start, when there were 980 s more to read.
		r.wantLag("in the second batch", 980*time.Second+90*time.Second, false)
		r.endWith(processor.ErrLeaseLost)
	})
}

// TestLagUnknown: if the source does not know the lag, the status does not show it, and CaughtUp is false.
func TestLagUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.wrap = func(r batch.Reader[int]) batch.Reader[int] {
			return wrapped{r, func(c batch.Chunk[int]) batch.Chunk[int] { c.Lag = batch.LagUnknown; return c }}
		}
		r := newRig(t, src).handle(func(ctx context.Context, _ *batch.Batch[int]) error { <-ctx.Done(); return ctx.Err() },
			batch.Options[int]{}).start(1)
		time.Sleep(time.Hour)
		if p := r.run.Status().Progress; p.Lag >= 0 || p.CaughtUp {
			t.Errorf("lag %v, caught up %v; want unknown and not", p.Lag, p.CaughtUp)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// TestLagWhileOthersHaveTheMemory: the lag grows although the shard holds no chunks.
func TestLagWhileOthersHaveTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(1000, 8)
		o := batch.Options[int]{Budget: budget, BatchBytes: 1000}
		src := newTape(0)
		r := newRig(t, src).handle(nil, o).start(1)
		time.Sleep(time.Minute)
		r.wantLag("idle", 0, true)
		other := newTape(100)
		other.perRead = 10
		h := newRig(t, other).handle(func(ctx context.Context, _ *batch.Batch[int]) error { <-ctx.Done(); return ctx.Err() }, o).start(1)
		time.Sleep(time.Hour)
		r.wantLag("after an hour", time.Hour-time.Second, false)
		r.quit()
		h.quit()
	})
}

// TestLagOfAShardThatEnded: the lag of a complete shard does not grow.
func TestLagOfAShardThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.closed = true
		r := newRig(t, src).handle(nil, batch.Options[int]{})
		r.store.set(func(s *store) { s.fail = func(processor.Position) error { return errors.New("no") } })
		r.start(1)
		time.Sleep(time.Hour)
		r.wantLag("with its last commit under way", 0, true)
		r.store.set(func(s *store) { s.fail = nil })
		r.finish()
	})
}
