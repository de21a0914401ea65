package batch

import (
	"context"
	"fmt"
	"sync"
)

// Budget bounds the memory of batches, and the number of concurrent reads, for all shards that share
// it. A read reserves its bytes before it begins. A read that waits reserves nothing, and the read
// that has waited longest begins first. If a read returns more bytes than it has reserved, Free
// becomes negative, and other reads wait until enough bytes are released.
//
// Idle and failing shards cannot hold up the others. Shards whose last read found nothing get at most
// half of the concurrent reads. Shards whose last read failed get at most a quarter. Each of the two
// kinds gets at least one.
//
// A Budget is safe for concurrent use.
type Budget struct {
	size  int64
	reads int

	mu        sync.Mutex // guards the fields below
	free      int64      // negative: reads returned more than they had reserved
	freeReads int
	running   [classes]int // reads
	ticket    uint64       // the last one given out
	queues    [classes]queue
}

// class is a kind of read, for the limits on concurrent reads.
type class uint8

const (
	classBusy    class = iota
	classIdle          // the shard's last read found nothing
	classFailing       // the shard's last read failed
	classes
)

// claim is a read that waits for a share.
type claim struct {
	bytes  int64
	ticket uint64        // lower ones have waited longer
	ready  chan struct{} // closed when the share is granted
}

// queue holds claims in the order of their tickets.
type queue []*claim

// NewBudget returns a Budget of that many bytes and concurrent reads. It panics if either is below 1.
func NewBudget(bytes int64, reads int) *Budget {
	if bytes < 1 || reads < 1 {
		panic(fmt.Sprintf("batch: NewBudget(%d, %d): both must be at least 1", bytes, reads))
	}
	return &Budget{size: bytes, reads: reads, free: bytes, freeReads: reads}
}

// Free returns the number of bytes that are not reserved. It is negative if reads have returned more
// than they had reserved.
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

// contended reports whether any read waits for nothing but bytes.
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

// share is what one read takes from a Budget: one of the concurrent reads, and bytes. Its owner calls
// readDone when the read has ended, and release when the batch needs no memory any more. A second call
// of either does nothing. The zero value holds nothing.
type share struct {
	budget  *Budget
	bytes   int64
	reading bool
	class   class
}

// acquire waits until the read may begin and its bytes are free. It reserves at most the size of the
// Budget. The read and its bytes are granted together, so that no read holds one of them while it
// waits for the other.
func (b *Budget) acquire(ctx context.Context, bytes int64, c class) (share, error) {
	bytes = min(bytes, b.size)
	s := share{budget: b, bytes: bytes, reading: true, class: c}
	b.mu.Lock()
	if b.waiting() == 0 && b.fits(bytes, c) {
		b.take(bytes, c)
		b.mu.Unlock()
		return s, nil
	}
	b.ticket++
	w := &claim{bytes: bytes, ticket: b.ticket, ready: make(chan struct{})}
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
	b.grant() // other claims may have waited behind this one
	b.mu.Unlock()
	if granted {
		s.release()
	}
	return share{}, context.Cause(ctx)
}

// waiting returns how many claims wait. The lock is held.
func (b *Budget) waiting() (n int) {
	for _, q := range b.queues {
		n += len(q)
	}
	return n
}

// fits reports whether a read can begin now. The lock is held.
func (b *Budget) fits(bytes int64, c class) bool {
	return b.mayRead(c) && (b.free >= bytes || bytes == 0)
}

// mayRead reports whether a read of that class may begin if its bytes are free. The lock is held.
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

// grant grants the claims that fit, the oldest first. If a claim waits because its class has no more
// reads, later claims of other classes may pass it. If a claim waits for bytes, no later claim passes
// it; otherwise large batches would wait for ever. The lock is held.
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

// remove removes a claim, and reports whether it was in the queue.
func (q *queue) remove(w *claim) bool {
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

// readDone ends the read, and sets the bytes of the share to those that were read.
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

// release ends the read and releases the bytes.
func (s *share) release() {
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

// endRead lets another read begin. The lock is held.
func (s *share) endRead() {
	if !s.reading {
		return
	}
	s.reading = false
	s.budget.freeReads++
	s.budget.running[s.class]--
}
