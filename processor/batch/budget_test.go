package batch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// crew is goroutines that want something of a budget, in a bubble.
type crew struct {
	t      *testing.T
	budget *Budget

	mu  sync.Mutex
	got []string // the claimants that got a share
}

// want starts a goroutine that waits for a share, keeps it until done is closed, and
// lets it come to its first wait.
func (c *crew) want(ctx context.Context, name string, bytes int64, class class) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		s, err := c.budget.acquire(ctx, bytes, class)
		c.mu.Lock()
		if err != nil {
			name = "not " + name
		}
		c.got = append(c.got, name)
		c.mu.Unlock()
		<-done
		s.release()
		s.release() // is nothing
	}()
	synctest.Wait()
	return done
}

// expect checks which claimants got a share since the last call, in any order.
func (c *crew) expect(want ...string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.got)
	slices.Sort(want)
	if !slices.Equal(c.got, want) {
		c.t.Errorf("got it: %q, want %q", c.got, want)
	}
	c.got = nil
}

// full checks that nothing is in use.
func (c *crew) full() {
	c.t.Helper()
	synctest.Wait()
	b := c.budget
	if b.Free() != b.Size() || b.FreeReads() != b.reads || b.running[classIdle] != 0 || len(b.queues[0])+len(b.queues[1]) != 0 {
		c.t.Errorf("in the end %d bytes, %d reads are free, %d idle ones under way, queues %v; want all", b.Free(), b.FreeReads(), b.running[classIdle], b.queues)
	}
}

// scene runs a test with a crew in a bubble.
func scene(t *testing.T, bytes int64, reads int, f func(c *crew, ctx context.Context)) {
	synctest.Test(t, func(t *testing.T) {
		c := &crew{t: t, budget: NewBudget(bytes, reads)}
		f(c, t.Context())
		c.full()
	})
}

func TestTheOldestComesFirst(t *testing.T) {
	scene(t, 100, 10, func(c *crew, ctx context.Context) {
		a := c.want(ctx, "a", 100, classBusy)
		b := c.want(ctx, "b", 100, classIdle)
		d := c.want(ctx, "d", 100, classBusy)
		e := c.want(ctx, "e", 100, classIdle)
		c.expect("a")
		close(a)
		c.expect("b")
		close(b)
		c.expect("d")
		close(d)
		c.expect("e")
		close(e)
	})
}

// A small claim waits behind a large one even if it would fit; otherwise the large one might wait for ever.
func TestTheSmallDoNotOvertakeTheLarge(t *testing.T) {
	scene(t, 100, 10, func(c *crew, ctx context.Context) {
		a := c.want(ctx, "a", 60, classBusy)
		b := c.want(ctx, "b", 60, classBusy)
		d := c.want(ctx, "d", 10, classBusy)
		e := c.want(ctx, "e", 10, classIdle)
		c.expect("a")
		close(a)
		c.expect("b", "d", "e")
		close(b)
		close(d)
		close(e)
	})
}

func TestBudgetBoundsTheReads(t *testing.T) {
	scene(t, 1000, 2, func(c *crew, ctx context.Context) {
		a, b := c.want(ctx, "a", 1, classBusy), c.want(ctx, "b", 1, classBusy)
		d := c.want(ctx, "d", 1, classBusy)
		c.expect("a", "b")
		close(b)
		c.expect("d")
		close(a)
		close(d)
	})
}

// A claim for more than the budget gets the whole budget, alone.
func TestMoreThanTheBudgetPassesAlone(t *testing.T) {
	scene(t, 100, 10, func(c *crew, ctx context.Context) {
		a := c.want(ctx, "a", 1, classBusy)
		b := c.want(ctx, "b", 1000, classBusy)
		d := c.want(ctx, "d", 1, classBusy)
		c.expect("a")
		close(a)
		c.expect("b")
		if free := c.budget.Free(); free != 0 {
			t.Errorf("%d bytes are free beside it, want 0", free)
		}
		close(b)
		c.expect("d")
		close(d)
	})
}

// If a read returns more bytes than it has reserved, nothing is granted until enough bytes are released.
func TestALargeReadIsADebt(t *testing.T) {
	scene(t, 100, 10, func(c *crew, ctx context.Context) {
		s, err := c.budget.acquire(ctx, 10, classBusy)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := c.budget.acquire(ctx, 20, classBusy)
		s.readDone(300)
		s.readDone(1) // the read has ended: does nothing
		if free, reads := c.budget.Free(), c.budget.FreeReads(); free != -220 || reads != 9 {
			t.Errorf("%d bytes and %d reads are free, want -220 and 9", free, reads)
		}
		a := c.want(ctx, "a", 1, classBusy)
		b := c.want(ctx, "b", 90, classBusy)
		other.release()
		c.expect()
		s.release()
		c.expect("a", "b")
		close(a)
		close(b)
	})
}

// If a read returns fewer bytes than it has reserved, the rest is released at once.
func TestASmallReadGivesBackTheRest(t *testing.T) {
	scene(t, 100, 10, func(c *crew, ctx context.Context) {
		s, _ := c.budget.acquire(ctx, 100, classBusy)
		a := c.want(ctx, "a", 90, classBusy)
		c.expect()
		s.readDone(10)
		c.expect("a")
		s.release()
		close(a)
	})
}

func TestGivingUpWhileWaiting(t *testing.T) {
	scene(t, 100, 10, func(c *crew, ctx context.Context) {
		reason := errors.New("enough")
		gone, cancel := context.WithCancelCause(ctx)
		a := c.want(ctx, "a", 60, classBusy)
		b := c.want(gone, "b", 60, classBusy)
		d := c.want(ctx, "d", 40, classBusy)
		c.expect("a")
		cancel(reason)
		c.expect("d", "not b") // d had waited behind it
		close(a)
		close(b)
		close(d)
		synctest.Wait()
		other, _ := c.budget.acquire(ctx, 100, classBusy)
		if _, err := c.budget.acquire(gone, 1, classIdle); !errors.Is(err, reason) {
			t.Errorf("gave up with %v, want the cause of the context", err)
		}
		other.release()
	})
}

func TestABudgetOfNothingIsRefused(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		reads int
	}{{0, 1}, {1, 0}, {-1, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewBudget(%d, %d) did not panic", c.bytes, c.reads)
				}
			}()
			NewBudget(c.bytes, c.reads)
		}()
	}
}
