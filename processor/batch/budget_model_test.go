package batch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
)

// claimant is a goroutine that wants a share, and its state in the model.
type claimant struct {
	bytes   int64
	class   class
	cancel  context.CancelFunc
	granted chan bool // with what acquire returned

	share   share
	has     bool // the model's view
	reading bool
}

// model is a slow and simple Budget: one list of claimants, searched from the start after each
// change.
type model struct {
	size, free          int64
	reads, slots, idles int
	waiting             []*claimant
}

// settle grants what it can, and returns those claimants.
func (m *model) settle() (in []*claimant) {
again:
	for i, c := range m.waiting {
		if c.class == classIdle && m.idles >= max(m.reads/2, 1) {
			continue // it does not hold up the others
		}
		if m.slots == 0 || c.bytes > m.free {
			return in // it holds up everybody behind
		}
		m.waiting = slices.Delete(m.waiting, i, i+1)
		c.has, c.reading = true, true
		m.free -= c.bytes
		m.slots--
		if c.class == classIdle {
			m.idles++
		}
		in = append(in, c)
		goto again
	}
	return in
}

// endRead gives a read back and leaves the claimant with so many bytes.
func (m *model) endRead(c *claimant, bytes int64) {
	m.free += c.bytes - bytes
	c.bytes = bytes
	if !c.reading {
		return
	}
	c.reading = false
	m.slots++
	if c.class == classIdle {
		m.idles--
	}
}

// TestBudgetLikeItsModel does random things with a Budget and with its model, and
// compares the grants after each.
func TestBudgetLikeItsModel(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			if err := compareBudgets(t.Context(), rand.New(rand.NewPCG(seed, 5))); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
}

func compareBudgets(ctx context.Context, rng *rand.Rand) error {
	size, reads := 1+rng.Int64N(1000), 1+rng.IntN(8)
	b := NewBudget(size, reads)
	m := &model{size: size, free: size, reads: reads, slots: reads}
	var all []*claimant // that wait or have something
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for step := range 200 {
		c := &claimant{}
		if len(all) > 0 {
			c = all[rng.IntN(len(all))]
		}
		var what string
		switch do := rng.IntN(10); {
		case do < 4 || len(all) == 0:
			c = ask(ctx, b, rng.Int64N(2*size), class(rng.IntN(2)))
			c.bytes = min(c.bytes, size)
			all, m.waiting = append(all, c), append(m.waiting, c)
			what = fmt.Sprintf("a claim of %d for %d", c.class, c.bytes)
		case !c.has && do < 6:
			c.cancel()
			m.waiting = slices.DeleteFunc(m.waiting, func(x *claimant) bool { return x == c })
			all = slices.DeleteFunc(all, func(x *claimant) bool { return x == c })
			synctest.Wait()
			if <-c.granted {
				return fmt.Errorf("step %d: one that gave up was let in", step)
			}
			what = "giving up"
		case !c.has:
			continue
		case do < 7 && c.reading:
			n := rng.Int64N(2 * size)
			c.share.readDone(n)
			m.endRead(c, n)
			what = fmt.Sprintf("a read of %d", n)
		default:
			c.share.release()
			m.endRead(c, 0)
			all = slices.DeleteFunc(all, func(x *claimant) bool { return x == c })
			what = "a release"
		}
		if err := compare(b, m, all); err != nil {
			return fmt.Errorf("step %d, %s: %w", step, what, err)
		}
	}
	for _, c := range all {
		c.cancel()
	}
	synctest.Wait()
	for _, c := range all {
		c.share.release()
	}
	if b.Free() != size || b.FreeReads() != reads || b.running[classIdle] != 0 {
		return fmt.Errorf("in the end %d of %d bytes and %d of %d reads are free", b.Free(), size, b.FreeReads(), reads)
	}
	return nil
}

// ask launches a claimant.
func ask(ctx context.Context, b *Budget, bytes int64, cl class) *claimant {
	ctx, cancel := context.WithCancel(ctx)
	c := &claimant{bytes: bytes, class: cl, cancel: cancel, granted: make(chan bool, 1)}
	go func() {
		s, err := b.acquire(ctx, bytes, cl)
		c.share = s
		c.granted <- err == nil
	}()
	return c
}

// compare has both settle, and compares them.
func compare(b *Budget, m *model, all []*claimant) error {
	in := m.settle()
	synctest.Wait()
	for _, c := range all {
		if slices.Contains(in, c) != (len(c.granted) > 0) {
			return fmt.Errorf("of a claim of %d for %d, the model says %v", c.class, c.bytes, slices.Contains(in, c))
		}
	}
	for _, c := range in {
		if !<-c.granted {
			return fmt.Errorf("a claim failed")
		}
	}
	if b.Free() != m.free || b.FreeReads() != m.slots {
		return fmt.Errorf("%d bytes and %d reads are free, the model says %d and %d", b.Free(), b.FreeReads(), m.free, m.slots)
	}
	return nil
}
