package slslog

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	// minBuffer is the smallest buffer. Idle shards have small pages.
	minBuffer = 16 << 10

	// maxIdleBuffers bounds the walk over them.
	maxIdleBuffers = 256
)

// buffers lends out memory for pages. What comes back is kept for the next page, up to a
// bound: a sync.Pool would keep whatever was ever in use, of every size, until two
// collections have passed, and with memory that is reused these are far apart.
type buffers struct {
	maxIdle int // bytes

	mu    sync.Mutex // held for a walk over idle
	idle  [][]byte   // the oldest first
	bytes int        // of their capacities
}

// buffer is memory on loan. Each loan has its own, so that giving one back twice cannot
// give back the memory of the next borrower.
type buffer struct {
	b    []byte
	from *buffers
	done atomic.Bool
}

func newBuffers(maxIdle int) *buffers { return &buffers{maxIdle: maxIdle} }

// take lends a buffer of n bytes, which hold anything.
func (p *buffers) take(n int) *buffer {
	class := sizeClass(n)
	b := p.reuse(class)
	if b == nil {
		b = make([]byte, class)
	}
	return &buffer{b: b[:n], from: p}
}

// size is the memory that the buffer takes.
func (b *buffer) size() int { return cap(b.b) }

// release gives the buffer back. Doing it again does nothing.
func (b *buffer) release() {
	if b.done.Swap(true) {
		return
	}
	b.from.keep(b.b[:cap(b.b)])
}

// reuse returns an idle buffer of that class, the one that was used last: it is the most
// likely to be in the processor's cache.
func (p *buffers) reuse(class int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if b := p.idle[i]; cap(b) == class {
			p.remove(i)
			return b
		}
	}
	return nil
}

// keep makes room for b by letting go of what has been idle the longest, so that sizes
// that are not used any more do not stay for ever.
func (p *buffers) keep(b []byte) {
	if cap(b) > p.maxIdle {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.bytes+cap(b) > p.maxIdle || len(p.idle) >= maxIdleBuffers {
		p.remove(0)
	}
	p.idle = append(p.idle, b)
	p.bytes += cap(b)
}

func (p *buffers) remove(i int) {
	p.bytes -= cap(p.idle[i])
	copy(p.idle[i:], p.idle[i+1:])
	p.idle[len(p.idle)-1] = nil
	p.idle = p.idle[:len(p.idle)-1]
}

// sizeClass rounds n up to the capacity of its buffer: four classes between a power of
// two and the next, so that at most a fifth is unused.
func sizeClass(n int) int {
	if n <= minBuffer {
		return minBuffer
	}
	step := 1 << (bits.Len(uint(n-1)) - 3)
	return (n + step - 1) / step * step
}
