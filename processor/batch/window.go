package batch

import "github.com/rollcall-go/rollcall/processor"

// window holds the chunks of a shard that are not completely acknowledged, in the order of reading, and
// the low-water mark. It belongs to the loop; handlers change only the acks inside.
type window struct {
	entries []*acks
	low     processor.Position // every item before it is acknowledged; empty: nothing to commit yet
	items   int                // acknowledged before low since the last commit began
}

// push adds a chunk. A chunk without items only moves the end of the chunk before it, so that a filter
// that drops everything does not fill the window.
func (w *window) push(a *acks) {
	if n := len(w.entries); n > 0 && a.size == 0 {
		if a.next != "" {
			w.entries[n-1].next = a.next
		}
		return
	}
	w.entries = append(w.entries, a)
}

// advance moves the low-water mark over everything that is acknowledged.
func (w *window) advance() {
	for len(w.entries) > 0 {
		a := w.entries[0]
		first, done, fresh := a.countNew()
		w.items += fresh
		if !done {
			if first > 0 && a.after != nil {
				if p := a.after(first - 1); p != "" {
					w.low = p
				}
			}
			return
		}
		if a.next != "" {
			w.low = a.next
		}
		w.entries[0] = nil
		w.entries = w.entries[1:]
	}
	w.entries = nil
}

// empty reports whether everything that was pushed is acknowledged. Call it after advance.
func (w *window) empty() bool { return len(w.entries) == 0 }
