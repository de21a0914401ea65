package batch

import (
	"sync"

	"github.com/rollcall-go/rollcall/processor"
)

// acks holds the acknowledgements of one chunk.
type acks struct {
	from  processor.Position           // where the chunk begins; empty: unknown
	next  processor.Position           // after the chunk; empty: nothing to commit
	after func(int) processor.Position // after an item; nil: only next can be committed
	lag   lagSample                    // at the time of the read
	size  int                          // number of items

	mu      sync.Mutex // guards the fields below; never held during a call
	open    int        // number of items that are not acknowledged
	items   []bool     // which items are acknowledged; nil: all or none
	first   int        // all items before this one are acknowledged
	counted int        // the first that countNew returned last
}

func newAcks(next processor.Position, after func(int) processor.Position, size int) *acks {
	return &acks{next: next, after: after, size: size, open: size}
}

// ack acknowledges one item. For an acknowledged item it does nothing.
func (a *acks) ack(i int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == 0 {
		return
	}
	if a.items == nil {
		a.items = make([]bool, a.size)
	}
	if a.items[i] {
		return
	}
	a.items[i] = true
	a.open--
	for a.first < a.size && a.items[a.first] {
		a.first++
	}
}

// ackAll acknowledges every item.
func (a *acks) ackAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open, a.items = 0, nil
}

// countNew counts the acknowledged items. first is how many items at the beginning are acknowledged
// without a gap. done is true if all items are acknowledged. fresh is by how much first has grown since
// the last call.
func (a *acks) countNew() (first int, done bool, fresh int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first = a.first
	if a.open == 0 {
		first = a.size
	}
	fresh = first - a.counted
	a.counted = first
	return first, a.open == 0, fresh
}

// acked reports whether an item is acknowledged.
func (a *acks) acked(i int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open == 0 || a.items != nil && a.items[i]
}

// done reports whether every item is acknowledged.
func (a *acks) done() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open == 0
}

// partial reports whether some items are acknowledged, and others are not.
func (a *acks) partial() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.items != nil
}

// untouched reports whether no item is acknowledged.
func (a *acks) untouched() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open == a.size
}

// fixPosition calls after for the last time, and keeps the result: the source is about to reuse the
// memory that after needs.
func (a *acks) fixPosition() {
	a.mu.Lock()
	first, open := a.first, a.open
	a.mu.Unlock()
	if after := a.after; after != nil && open > 0 {
		a.after = nil
		if first > 0 {
			at := after(first - 1)
			a.after = func(int) processor.Position { return at }
		}
	}
}
