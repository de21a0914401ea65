package batch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Idle shards take at most half of the reads, and do not hold up busy ones.
func TestTheIdleLeaveHalfOfTheReads(t *testing.T) {
	for _, x := range []struct{ reads, idle int }{{1, 1}, {2, 1}, {3, 1}, {4, 2}, {9, 4}} {
		scene(t, 1000, x.reads, func(c *crew, ctx context.Context) {
			var all []chan struct{}
			var names []string
			for range 20 {
				all = append(all, c.want(ctx, "idle", 1, classIdle))
			}
			for range x.idle {
				names = append(names, "idle")
			}
			for range x.reads - x.idle {
				all = append(all, c.want(ctx, "busy", 1, classBusy))
				names = append(names, "busy")
			}
			late := c.want(ctx, "late", 1, classBusy)
			c.expect(names...)
			for _, done := range all {
				close(done)
			}
			close(late)
		})
	}
}

// Any number of busy shards leaves reads for idle shards.
func TestTheIdleGetTheirTurn(t *testing.T) {
	scene(t, 1000, 2, func(c *crew, ctx context.Context) {
		stop := make(chan struct{})
		for range 20 {
			go func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					s, _ := c.budget.acquire(ctx, 1, classBusy)
					time.Sleep(time.Millisecond)
					s.release()
				}
			}()
		}
		synctest.Wait()
		for range 50 {
			begin := time.Now()
			s, _ := c.budget.acquire(ctx, 1, classIdle)
			if d := time.Since(begin); d > 20*time.Millisecond {
				t.Errorf("an idle read waited for %v behind 20 busy ones of 1 ms", d)
			}
			s.release()
		}
		close(stop)
		time.Sleep(time.Second)
	})
}
