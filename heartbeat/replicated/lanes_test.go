package replicated

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		ctx := t.Context()
		if err := errors.Join(l.enter(ctx, "a"), l.enter(ctx, "b")); err != nil {
			t.Fatal(err)
		}
		got := make(chan int, 2)
		wait := func(n int, ctx context.Context) {
			go func() {
				if l.enter(ctx, "a") == nil {
					got <- n
				}
			}()
			synctest.Wait()
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wait(1, short)
		wait(2, ctx)
		wait(3, ctx)
		time.Sleep(2 * time.Second) // the first one gives up
		for want := 2; want <= 3; want++ {
			select {
			case n := <-got:
				t.Fatalf("call %d has the lane while another one has it", n)
			default:
			}
			l.leave("a")
			if n := <-got; n != want {
				t.Errorf("call %d has the lane, want %d", n, want)
			}
			synctest.Wait()
		}
		l.leave("a")
		l.leave("b")
		if len(l.waiting) != 0 {
			t.Errorf("lanes that nobody has are remembered: %v", l.waiting)
		}
	})
}
