package batch

import (
	"math"
	"sync/atomic"
)

// ackSignal wakes the loop when acknowledgements of a running handler make a commit due. Waking the
// loop for each item would cost more than most handlers.
type ackSignal struct {
	ignored atomic.Int64 // this many more acknowledgements do not wake the loop
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
	default: // the loop is already being woken
	}
}

// acksToIgnore returns how many further acknowledgements need not wake the loop, because they make no
// commit due. While a commit is running or scheduled, only Options.CommitItems can make one due: with
// the acknowledgement that completes this number.
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
