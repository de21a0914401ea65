package slslog

import (
	"sync"
	"testing"
)

func TestSizeClass(t *testing.T) {
	for n, want := range map[int]int{
		0: minBuffer, 1: minBuffer, minBuffer: minBuffer, minBuffer + 1: 20 << 10,
		20 << 10: 20 << 10, 20<<10 + 1: 24 << 10, 32 << 10: 32 << 10, 32<<10 + 1: 40 << 10,
		4 << 20: 4 << 20, 4<<20 + 1: 5 << 20, 64 << 20: 64 << 20,
	} {
		if got := sizeClass(n); got != want {
			t.Errorf("the class of %d is %d, want %d", n, got, want)
		}
	}
	for n := minBuffer; n < 1<<20; n += 777 {
		if c := sizeClass(n); c < n || 5*(c-n) > c || sizeClass(c) != c {
			t.Fatalf("the class of %d is %d", n, c)
		}
	}
}

func TestBuffersAreReused(t *testing.T) {
	p := newBuffers(1 << 20)
	a := p.take(100 << 10)
	first := &a.b[0]
	if len(a.b) != 100<<10 || a.size() != 112<<10 {
		t.Fatalf("len %d, size %d", len(a.b), a.size())
	}
	a.release()
	b := p.take(110 << 10)
	if &b.b[0] != first {
		t.Error("a buffer of the same class was not reused")
	}
	if len(b.b) != 110<<10 {
		t.Errorf("len %d", len(b.b))
	}
}

// TestReleaseTwice must not release the memory of the next loan.
func TestReleaseTwice(t *testing.T) {
	p := newBuffers(1 << 20)
	a := p.take(1)
	a.release()
	b := p.take(1)
	a.release()
	if c := p.take(1); &c.b[0] == &b.b[0] {
		t.Fatal("two borrowers have the same memory")
	}
}

func TestIdleBuffersAreBounded(t *testing.T) {
	p := newBuffers(100 << 10)
	var lent []*buffer
	for _, n := range []int{16, 40, 16, 32, 24, 112} {
		lent = append(lent, p.take(n<<10))
	}
	for _, b := range lent {
		b.release()
		sum := 0
		for _, idle := range p.idle {
			sum += cap(idle)
		}
		if sum != p.bytes || sum > p.maxIdle {
			t.Fatalf("%d bytes are idle, %d counted, the most is %d", sum, p.bytes, p.maxIdle)
		}
	}
	// The oldest went: 16 and 40; the last was too large to be kept.
	if len(p.idle) != 3 || p.bytes != 72<<10 {
		t.Errorf("%d buffers, %d bytes are idle", len(p.idle), p.bytes)
	}
	lent = lent[:0]
	p = newBuffers(1 << 30)
	for range maxIdleBuffers + 10 {
		lent = append(lent, p.take(1))
	}
	for _, b := range lent {
		b.release()
	}
	if len(p.idle) != maxIdleBuffers || p.bytes != maxIdleBuffers*minBuffer {
		t.Errorf("%d buffers, %d bytes are idle", len(p.idle), p.bytes)
	}
}

func TestBuffersConcurrently(t *testing.T) {
	p := newBuffers(1 << 20)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 300 {
				b := p.take(n<<10 + 1)
				const step = 8 << 10 // less than the smallest buffer
				for j := 0; j < len(b.b); j += step {
					b.b[j] = byte(i)
				}
				for j := 0; j < len(b.b); j += step {
					if b.b[j] != byte(i) {
						t.Error("memory was lent twice")
						return
					}
				}
				b.release()
			}
		})
	}
	wg.Wait()
}
