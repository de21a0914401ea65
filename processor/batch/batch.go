package batch

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Batch holds the items of one shard for one call of a handler. Items, and the memory that they
// refer to, are valid until the handler returns. The methods may be called from any goroutine.
// After the handler has returned they acknowledge nothing.
type Batch[T any] struct {
	// Items is never empty. It holds all items of one read, or with Options.HandleItems or
	// Options.Key a part of them. After a failure, it holds only those that are not acknowledged.
	Items []T
	// From is the position where the read began, and Next the position after the read. They are
	// the same for all parts of a read, and for all attempts.
	From, Next processor.Position
	// Bytes is the memory of the whole read.
	Bytes int64
	// Lag is how far Next was behind the end of the shard at the time of the read.
	Lag time.Duration
	// Attempt counts from 1. Dividing a failed batch does not reset it.
	Attempt int

	shard     *processor.Shard
	ackSignal *ackSignal
	part      *part[T]
	index     []int32            // the indexes of the Items in the read; nil: Items is the whole read
	activity  processor.Activity // the attempt; each acknowledgement counts as its progress

	mu        sync.Mutex // guards the fields below
	returned  bool       // the handler has returned
	ackCalled bool       // Ack was called
	failure   error      // the argument of Fail
	givenUp   map[int32]error
}

// ID returns the shard's ID.
func (b *Batch[T]) ID() shardset.ID { return b.shard.ID() }

// Lease returns the shard's lease. A sink that fences needs its epoch.
func (b *Batch[T]) Lease() shardset.Lease { return b.shard.Lease() }

// After returns the position after Items[i]. It is empty if the source has positions only
// between reads.
func (b *Batch[T]) After(i int) processor.Position {
	_ = b.Items[i]
	if b.part.chunk.After == nil {
		return ""
	}
	return b.part.chunk.After(b.inRead(i))
}

// inRead returns the index of Items[i] in the read.
func (b *Batch[T]) inRead(i int) int {
	if b.index == nil {
		return i
	}
	return int(b.index[i])
}

// Check returns nil while this member holds the shard's lease: see processor.Shard.Check. The loop
// calls it before each attempt. A slow handler should call it again before any effect that must
// not happen twice.
func (b *Batch[T]) Check() error { return b.shard.Check() }

// Revoked returns a channel that is closed when the shard is revoked. A handler that is faster
// than the drain timeout may ignore it. A slower one should then acknowledge the items that it has
// handled, and return an error.
func (b *Batch[T]) Revoked() <-chan struct{} { return b.shard.Revoked() }

// Logger returns the worker's logger with the shard's fields.
func (b *Batch[T]) Logger() *zap.Logger { return b.shard.Logger() }

// Ack acknowledges all Items except those passed to GiveUp. It is final: they are not handled
// again, whatever the handler returns. A handler that returns nil need not call it.
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
		b.ackFirst(len(b.Items))
	}
	b.activity.Progress()
	b.ackSignal.add(len(b.Items))
}

// AckItem acknowledges Items[i]. It is final: if the handler fails, only the other items are
// handled again. The item is committed once all items before it are acknowledged. If the source
// has positions only between reads, it is committed once the whole read is acknowledged. AckItem
// panics if there is no such item, and does nothing after GiveUp for the item.
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

// AckTo acknowledges the first n Items, each as AckItem does.
func (b *Batch[T]) AckTo(n int) {
	_ = b.Items[:n]
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.returned {
		return
	}
	b.ackFirst(n)
	b.activity.Progress()
	b.ackSignal.add(n)
}

// ackFirst acknowledges the first n Items. The lock is held.
func (b *Batch[T]) ackFirst(n int) {
	for i := range n {
		b.ack(i)
	}
}

// ack acknowledges Items[i], unless it was given up. The lock is held.
func (b *Batch[T]) ack(i int) {
	i = b.inRead(i)
	if _, givenUp := b.givenUp[int32(i)]; !givenUp {
		b.part.acks.ack(i)
	}
}

// Fail reports the failure of the batch from the body of a loop over Range. A handler returns its
// error instead.
func (b *Batch[T]) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failure = err
}

// close ends the attempt: later calls acknowledge nothing.
func (b *Batch[T]) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.returned = true
}

func (b *Batch[T]) isAckCalled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ackCalled
}
