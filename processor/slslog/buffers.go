package slslog

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	// minBuffer is the smallest buffer, in bytes.
	minBuffer = 16 << 10

	// maxIdleBuffers bounds the search for a buffer.
	maxIdleBuffers = 256
)

// buffers lends memory for pages. It keeps released memory for later pages, up to a bound. A sync.Pool
// would keep memory of all sizes until the second garbage collection, and a program that reuses its
// memory collects rarely.
type buffers struct {
	maxIdle int // bytes

	mu    sync.Mutex // guards the fields below; never held during a call
	idle  [][]byte   // longest idle first
	bytes int        // capacity of all idle memory
}

// buffer is memory that was lent. Each take returns a new buffer value, so a second release cannot
// release memory that was lent again meanwhile.
type buffer struct {
	b    []byte
	from *buffers
	done atomic.Bool
}

func newBuffers(maxIdle int) *buffers { return &buffers{maxIdle: maxIdle} }

// take lends a buffer of n bytes. Their values are arbitrary.
func (p *buffers) take(n int) *buffer {
	class := sizeClass(n)
	b := p.reuse(class)
	if b == nil {
		b = make([]byte, class)
	}
	return &buffer{b: b[:n], from: p}
}

// size returns the memory that the buffer takes, in bytes.
func (b *buffer) size() int { return cap(b.b) }

// release gives the buffer back. A second call does nothing. b may be nil.
func (b *buffer) release() {
	if b == nil || b.done.Swap(true) {
		return
	}
	b.from.keep(b.b[:cap(b.b)])
}

// reuse returns idle memory of a class, or nil. It prefers the memory used last, which is probably
// still in the CPU's cache.
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

// keep stores b for reuse. To make room, it drops the memory that has been idle longest.
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

// sizeClass rounds n up to the capacity of a buffer. There are four classes from one power of two to
// the next, so at most a fifth of a buffer is unused.
func sizeClass(n int) int {
	if n <= minBuffer {
		return minBuffer
	}
	step := 1 << (bits.Len(uint(n-1)) - 3)
	return (n + step - 1) / step * step
}
