package batch

import (
	"math"
	"sync/atomic"
)

// ackSignal wakes the loop when a running handler has acknowledged items that make a commit due.
// To wake it for each item would cost more than most handlers do.
type ackSignal struct {
	ignored atomic.Int64 // acknowledgements that do not wake the loop
	wake    chan struct{}
}

func (a *ackSignal) ignore(items int) { a.ignored.Store(int64(items)) }

// add notes that items were acknowledged.
func (a *ackSignal) add(items int) {
	if a.ignored.Add(-int64(items)) >= 0 {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default: // the loop is about to wake anyway
	}
}

// acksToIgnore returns how many acknowledgements change nothing: while a commit is running, or waits
// for its time or for a number of items, one more does not make it due.
func (l *loop[T]) acksToIgnore() int {
	c := &l.commits
	switch {
	case l.closing() || !c.running && c.since.IsZero():
		return 0
	case l.o.CommitItems > 0:
		return l.o.CommitItems - l.window.items - 1
	}
	return math.MaxInt
}
