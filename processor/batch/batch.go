package batch

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Batch is items of one shard in the hands of a handler, for one attempt. Items and
// what they refer to are valid until the handler returns. Its methods may be called
// from any goroutine; once the handler has returned, acknowledging does nothing.
type Batch[T any] struct {
	// Items is what to handle: what was read together, or the part of it that
	// Options.HandleItems and Options.Key make, and after a failure what is left of
	// that. It is never empty.
	Items []T
	// From is the position where the read began, and Next what comes after it. They
	// are the same for all parts and attempts.
	From, Next processor.Position
	// Bytes is the memory that the read took.
	Bytes int64
	// Lag is how far Next was behind the end of the shard at the time of the read.
	Lag time.Duration
	// Attempt counts from 1. It goes on counting when a batch that failed is divided.
	Attempt int

	shard     *processor.Shard
	ackSignal *ackSignal
	part      *part[T]
	index     []int32 // of Items in the read; nil: they are all of them

	activity processor.Activity // the attempt: an acknowledgement is its progress

	mu        sync.Mutex // guards the fields below; held for a few assignments
	returned  bool
	ackCalled bool            // Ack was called
	failure   error           // what Fail was told
	givenUp   map[int32]error // what GiveUp was told, of items of the read
}

// ID returns the shard's ID.
func (b *Batch[T]) ID() shardset.ID { return b.shard.ID() }

// Lease returns the shard's lease, with the epoch for sinks that fence.
func (b *Batch[T]) Lease() shardset.Lease { return b.shard.Lease() }

// After returns the position after Items[i], or the empty one if the source has a
// position for each read only.
func (b *Batch[T]) After(i int) processor.Position {
	_ = b.Items[i]
	if b.part.chunk.After == nil {
		return ""
	}
	return b.part.chunk.After(b.inRead(i))
}

// inRead returns where Items[i] is in the read.
func (b *Batch[T]) inRead(i int) int {
	if b.index == nil {
		return i
	}
	return int(b.index[i])
}

// Check returns nil while the shard is this member's: see processor.Shard.Check. It
// was called before the handler was; a handler that takes long, or that waited, calls
// it again before what must not be done twice.
func (b *Batch[T]) Check() error { return b.shard.Check() }

// Revoked returns a channel that is closed when the shard has to go. The handler need
// not care, as long as it takes less than the drain timeout; one that takes longer can
// acknowledge what it has done, and return an error.
func (b *Batch[T]) Revoked() <-chan struct{} { return b.shard.Revoked() }

// Logger returns the worker's logger with the shard's fields.
func (b *Batch[T]) Logger() *zap.Logger { return b.shard.Logger() }

// Ack acknowledges all Items that were not given up, for good: whatever the handler
// does then, they are not handled again. A handler that returns nil need not call it.
func (b *Batch[T]) Ack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.returned {
		return
	}
	b.ackCalled = true
	if len(b.givenUp) == 0 {
		b.part.ackAll()
	} else {
		b.ackTo(len(b.Items))
	}
	b.activity.Progress()
	b.ackSignal.add(len(b.Items))
}

// AckItem acknowledges Items[i], for good: when the handler fails, only what is not
// acknowledged is handled again. It is committed as soon as all items before it are,
// if the source has a position for each item, and with the read otherwise. It panics
// if there is no such item, and does nothing with one that was given up.
func (b *Batch[T]) AckItem(i int) {
	_ = b.Items[i]
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.returned {
		return
	}
	b.ack(i)
	b.activity.Progress()
	b.ackSignal.add(1)
}

// AckTo acknowledges the first n Items, as AckItem does one.
func (b *Batch[T]) AckTo(n int) {
	_ = b.Items[:n]
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.returned {
		return
	}
	b.ackTo(n)
	b.activity.Progress()
	b.ackSignal.add(n)
}

func (b *Batch[T]) ackTo(n int) {
	for i := range n {
		b.ack(i)
	}
}

// ack acknowledges Items[i], unless it was given up. The lock is held.
func (b *Batch[T]) ack(i int) {
	i = b.inRead(i)
	if _, given := b.givenUp[int32(i)]; !given {
		b.part.acks.ack(i)
	}
}

// Fail says why the batch is not acknowledged, to a loop over Range; a handler returns
// the error instead.
func (b *Batch[T]) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failure = err
}

// close ends the attempt: what comes later is too late.
func (b *Batch[T]) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.returned = true
}

// acknowledged reports whether Ack was called.
func (b *Batch[T]) isAckCalled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ackCalled
}

// part is what is handled together: a chunk, or some items of it. It belongs to the
// loop, and to the goroutine of an attempt while that runs.
type part[T any] struct {
	chunk *chunk[T]
	acks  *acks
	index []int32 // of its items in the chunk; nil: all
	slot  *slot[T]
	attemptState

	retryAt time.Time // set: it waits
}

// chunk is what one read brought.
type chunk[T any] struct {
	Chunk[T]
	from  processor.Position
	share share
	parts int // not done with
}

// ackAll acknowledges every item of the part.
func (p *part[T]) ackAll() {
	if p.index == nil {
		p.acks.ackAll()
		return
	}
	for _, i := range p.index {
		p.acks.ack(int(i))
	}
}

// batch makes the handle for the next attempt, of the items that are left.
func (p *part[T]) batch(s *processor.Shard, signal *ackSignal) *Batch[T] {
	c := p.chunk
	b := &Batch[T]{
		Items: c.Items, From: c.from, Next: c.Next, Bytes: c.Bytes, Lag: c.Lag,
		Attempt: p.attempt, shard: s, ackSignal: signal, part: p,
	}
	if p.index == nil && !p.acks.partial() {
		return b
	}
	b.Items = nil
	take := func(i int32) {
		if !p.acks.acked(int(i)) {
			b.Items, b.index = append(b.Items, c.Items[i]), append(b.index, i)
		}
	}
	if p.index == nil {
		for i := range c.Items {
			take(int32(i))
		}
	}
	for _, i := range p.index {
		take(i)
	}
	return b
}

// size is how many items the part has.
func (p *part[T]) size() int {
	if p.index == nil {
		return p.acks.size
	}
	return len(p.index)
}

// left is how many of them are not acknowledged.
func (p *part[T]) left() (n int) {
	for i := range p.size() {
		if p.index != nil {
			i = int(p.index[i])
		}
		if !p.acks.acked(i) {
			n++
		}
	}
	return n
}

// done reports whether every item is acknowledged.
func (p *part[T]) done() bool {
	if p.index == nil {
		return p.acks.done()
	}
	for _, i := range p.index {
		if !p.acks.acked(int(i)) {
			return false
		}
	}
	return true
}
