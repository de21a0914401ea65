package batch

import (
	"context"
	"fmt"
	"sync"
)

// Budget is the memory that batches may take, and how many reads may be under way,
// for all shards that share it. Who waits holds none of it, and the oldest comes
// first. A read that brings more than was set aside for it is not sent back: the
// Budget then is in debt, and the others wait until that is paid.
//
// The shards at which nothing came at the last look can take up half of the reads at
// most, and those whose last read failed a quarter, each at least one: however many they
// are, the others do not wait for them.
//
// It is safe for concurrent use.
type Budget struct {
	size  int64
	reads int

	mu        sync.Mutex // guards the fields below; held for a few assignments, no longer
	free      int64      // negative: debt
	freeReads int        // reads that may begin
	running   [classes]int
	ticket    uint64
	queues    [classes]queue // each in the order of its tickets
}

// class is what a read is counted as.
type class uint8

const (
	classBusy    class = iota
	classIdle          // nothing came at the last look
	classFailing       // the last look failed
	classes
)

// waiter is somebody who waits for a share.
type waiter struct {
	bytes  int64
	ticket uint64
	ready  chan struct{} // closed when it is granted
}

// queue is claims in order.
type queue []*waiter

// NewBudget returns a Budget of so many bytes and concurrent reads, both at least 1.
func NewBudget(bytes int64, reads int) *Budget {
	if bytes < 1 || reads < 1 {
		panic(fmt.Sprintf("batch: NewBudget(%d, %d): both must be at least 1", bytes, reads))
	}
	return &Budget{size: bytes, reads: reads, free: bytes, freeReads: reads}
}

// Free returns the bytes that are not in use. It is negative while batches are larger
// than what was set aside for them.
func (b *Budget) Free() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.free
}

// FreeReads returns how many more reads may begin.
func (b *Budget) FreeReads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.freeReads
}

// contended reports whether somebody waits for bytes: a read would have a place.
func (b *Budget) contended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range classes {
		if len(b.queues[c]) > 0 && b.mayRead(c) {
			return true
		}
	}
	return false
}

// share is a part of a Budget that is in use. Its owner gives it back: the read when
// that has ended, and the bytes when the batch is done with, once each; giving back
// twice is nothing. The zero value is nothing.
type share struct {
	budget  *Budget
	bytes   int64
	reading bool
	class   class
}

// acquire waits for so many bytes, at most all there are, and for a read. Both come
// together, so that nobody sits on one of them while waiting for the other.
func (b *Budget) acquire(ctx context.Context, bytes int64, c class) (share, error) {
	bytes = min(bytes, b.size)
	s := share{budget: b, bytes: bytes, reading: true, class: c}
	b.mu.Lock()
	if b.waiters() == 0 && b.fits(bytes, c) {
		b.take(bytes, c)
		b.mu.Unlock()
		return s, nil
	}
	b.ticket++
	w := &waiter{bytes: bytes, ticket: b.ticket, ready: make(chan struct{})}
	b.queues[c] = append(b.queues[c], w)
	b.grant()
	b.mu.Unlock()
	select {
	case <-w.ready:
		return s, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	granted := !b.queues[c].remove(w)
	b.grant() // it may have been what the others waited behind
	b.mu.Unlock()
	if granted {
		s.releaseAll()
	}
	return share{}, context.Cause(ctx)
}

// waiting returns how many wait. The lock is held.
func (b *Budget) waiters() (n int) {
	for _, q := range b.queues {
		n += len(q)
	}
	return n
}

// fits reports whether a read can begin now. The lock is held.
func (b *Budget) fits(bytes int64, c class) bool {
	return b.mayRead(c) && (b.free >= bytes || bytes == 0)
}

func (b *Budget) mayRead(c class) bool {
	most := b.reads
	switch c {
	case classIdle:
		most = max(b.reads/2, 1)
	case classFailing:
		most = max(b.reads/4, 1)
	}
	return b.freeReads > 0 && b.running[c] < most
}

func (b *Budget) take(bytes int64, c class) {
	b.free -= bytes
	b.freeReads--
	b.running[c]++
}

// grant lets in whom it can, the oldest first. Who is kept out by the number of reads
// of its class holds up only its class; who is kept out by the bytes holds up
// everybody, or else large batches would wait for ever.
func (b *Budget) grant() {
	for {
		oldest := classes
		for c := range classes {
			if len(b.queues[c]) > 0 && b.mayRead(c) &&
				(oldest == classes || b.queues[c][0].ticket < b.queues[oldest][0].ticket) {
				oldest = c
			}
		}
		if oldest == classes || !b.fits(b.queues[oldest][0].bytes, oldest) {
			return
		}
		w := b.queues[oldest][0]
		b.queues[oldest].remove(w)
		b.take(w.bytes, oldest)
		close(w.ready)
	}
}

// remove takes w out, and reports whether it was in.
func (q *queue) remove(w *waiter) bool {
	for i, other := range *q {
		if other != w {
			continue
		}
		if i == 0 {
			(*q)[0] = nil
			*q = (*q)[1:]
			if len(*q) == 0 {
				*q = nil
			}
			return true
		}
		*q = append((*q)[:i], (*q)[i+1:]...)
		return true
	}
	return false
}

// read gives the read back and makes the share as large as what was read.
func (s *share) readDone(bytes int64) {
	if s.budget == nil || !s.reading {
		return
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	s.endRead()
	b.free += s.bytes - bytes
	s.bytes = bytes
	b.grant()
}

// release gives everything back.
func (s *share) releaseAll() {
	if s.budget == nil {
		return
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	s.endRead()
	b.free += s.bytes
	*s = share{}
	b.grant()
}

// endRead gives the read back. The lock is held.
func (s *share) endRead() {
	if !s.reading {
		return
	}
	s.reading = false
	s.budget.freeReads++
	s.budget.running[s.class]--
}
