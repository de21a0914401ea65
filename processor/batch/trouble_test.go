package batch_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// A second pass over a Range does not move the checkpoint back.
func TestRangeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead, src.closed = 10, true
		r := newRig(t, src)
		o := r.ownBudget(batch.Options[int]{})
		r.factory = processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			seq := batch.Range(ctx, s, r.tape, o)
			n := 0
			for b, err := range seq {
				if err != nil {
					return err
				}
				b.Ack()
				if n++; n == 5 {
					break
				}
			}
			for b, err := range seq {
				if err != nil {
					return err
				}
				t.Logf("again from %s", b.From)
				b.Ack()
				break
			}
			return nil
		})
		r.start(1)
		r.finish()
		if r.store.last() != "50" {
			t.Errorf("commits went back: %v", r.store.committed())
		}
	})
}

// The status shows the bytes that are held in memory.
func TestBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(1000)
		src.perRead = 10
		r := newRig(t, src).handle(stuck, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		if p := r.run.Status().Progress; p.Buffered == 0 {
			t.Errorf("Buffered is 0 with %d chunks held; reading %s", src.held(), p.Reading)
		}
		r.quit()
	})
}

// Reads that hang and fail take only a part of the reads.
func TestHangingReadsLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := batch.NewBudget(64<<20, 8)
		o := batch.Options[int]{Budget: budget}
		var sick []*rig
		for range 40 {
			src := newTape(10)
			src.onRead = func(ctx context.Context) { // one log is down; each request times out
				select {
				case <-time.After(10 * time.Second):
				case <-ctx.Done():
				}
			}
			src.fail = func(int) error { return errNo }
			sick = append(sick, newRig(t, src).handle(nil, o).start(1))
		}
		src := newTape(0)
		var worst time.Duration
		var mu sync.Mutex
		var added time.Time
		r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error {
			mu.Lock()
			defer mu.Unlock()
			worst = max(worst, time.Since(added))
			return nil
		}, o).start(1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		reads, begin := src.readCount(), time.Now()
		added = begin
		src.add(1)
		for len(r.got()) == 0 && time.Since(begin) < 10*time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("a healthy shard's item waited %v; %d reads of it in the 10 min before", took, reads)
		}
		r.quit()
		for _, i := range sick {
			i.quit()
		}
	})
}

// A batch that goes well does not hide that reading fails.
func TestTroubleStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead = 10
		src.fail = func(at int) error {
			if at == 10 {
				return errNo
			}
			return nil
		}
		r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error {
			time.Sleep(20*time.Second + 500*time.Millisecond)
			return nil
		}, batch.Options[int]{}).start(1)
		time.Sleep(21 * time.Second)
		synctest.Wait()
		if r.run.Status().Progress.Trouble == nil {
			t.Errorf("no trouble is shown though every read fails (%d reads)", src.reads)
		}
		r.quit()
	})
}
