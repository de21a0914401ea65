package batch

import (
	"sync"

	"github.com/rollcall-go/rollcall/processor"
)

// window is what was read of one shard and is not acknowledged up to there, in the
// order of reading, and the low-water mark: the position before which everything is.
// It belongs to the loop; only the acks inside its entries are set by others.
type window struct {
	entries []*acks
	low     processor.Position // committable; empty: nothing yet
	items   int                // acknowledged before low, since the last reset by the loop
}

// acks is one chunk's acknowledgements.
type acks struct {
	from    processor.Position           // before all of it; empty: not known
	lag     lagSample                    // when it was read
	next    processor.Position           // after all of it; empty: nothing to commit
	after   func(int) processor.Position // after an item; nil: only next counts
	mu      sync.Mutex                   // guards the fields below; held for a look
	size    int                          // items
	open    int                          // of them, not acknowledged
	items   []bool                       // which are; nil: all are, or none is
	first   int                          // items before this one are all acknowledged
	counted int                          // of those, counted by the window
}

func newAcks(next processor.Position, after func(int) processor.Position, size int) *acks {
	return &acks{next: next, after: after, size: size, open: size}
}

// push adds a chunk. One without items only moves the end of the one before, so that
// a filter that drops everything takes no place.
func (w *window) push(m *acks) {
	if n := len(w.entries); n > 0 && m.size == 0 {
		if m.next != "" {
			w.entries[n-1].next = m.next
		}
		return
	}
	w.entries = append(w.entries, m)
}

// advance moves the low-water mark over what has been acknowledged.
func (w *window) advance() {
	for len(w.entries) > 0 {
		m := w.entries[0]
		first, done, fresh := m.progress()
		w.items += fresh
		if !done {
			if first > 0 && m.after != nil {
				if p := m.after(first - 1); p != "" {
					w.low = p
				}
			}
			return
		}
		if m.next != "" {
			w.low = m.next
		}
		w.entries[0] = nil
		w.entries = w.entries[1:]
	}
	w.entries = nil
}

// empty reports whether everything that was pushed is acknowledged. Call it after
// advance.
func (w *window) empty() bool { return len(w.entries) == 0 }

// look returns how many items from the first on are acknowledged, whether all are,
// and how many of them were not counted before.
func (m *acks) progress() (first int, done bool, fresh int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first = m.first
	if m.open == 0 {
		first = m.size
	}
	fresh = first - m.counted
	m.counted = first
	return first, m.open == 0, fresh
}

func (m *acks) done() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open == 0
}

// ackAll acknowledges every item.
func (m *acks) ackAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open, m.items = 0, nil
}

// ack acknowledges one item, once or more often.
func (m *acks) ack(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == 0 {
		return
	}
	if m.items == nil {
		m.items = make([]bool, m.size)
	}
	if m.items[i] {
		return
	}
	m.items[i] = true
	m.open--
	for m.first < m.size && m.items[m.first] {
		m.first++
	}
}

// acked reports whether an item is acknowledged.
func (m *acks) acked(i int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open == 0 || m.items != nil && m.items[i]
}

// begun reports whether single items are acknowledged.
func (m *acks) partial() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.items != nil
}

// untouched reports whether nothing is acknowledged.
func (m *acks) untouched() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open == m.size
}

// fixPosition asks for the position after what is acknowledged, for the last time.
func (m *acks) fixPosition() {
	m.mu.Lock()
	first, open := m.first, m.open
	m.mu.Unlock()
	if after := m.after; after != nil && open > 0 {
		m.after = nil
		if first > 0 {
			at := after(first - 1)
			m.after = func(int) processor.Position { return at }
		}
	}
}
