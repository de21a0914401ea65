package batch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// lookEvery is how often a batch that waits for another attempt looks whether others
// wait for its memory.
const yieldCheckEvery = time.Second

// yieldedPart is how far the attempts were of a part that was put back.
type yieldedPart struct {
	from        processor.Position
	first, size int // its items in the read
	attemptState
}

// yieldMemory gives up what was read, if all that is being handled waits for another
// attempt and others wait for the memory: it is read again when its time comes. Without
// that a few shards whose sink is down would keep all the others from working.
func (l *loop[T]) yieldMemory(now time.Time) {
	if !l.waitsForRetry() || now.Before(l.yieldCheckAt) {
		return
	}
	l.yieldCheckAt = now.Add(yieldCheckEvery)
	if !l.mayYieldMemory() || !l.o.Budget.contended() {
		return
	}
	r := &l.reading
	r.yielded = r.yielded[:0]
	r.next, r.notBefore = l.window.entries[0].from, l.slots[0].wakeAt()
	for _, pl := range slices.Clone(l.slots) {
		if at := pl.wakeAt(); at.Before(r.notBefore) {
			r.notBefore = at
		}
		for _, p := range pl.parts() {
			r.yielded = append(r.yielded, yieldedPart{p.acks.from, p.first(), p.size(), p.attemptState})
			l.releaseLane(p)
		}
	}
	for _, p := range l.lanes[0].queue {
		l.releasePart(p)
	}
	r.lag = l.window.entries[0].lag
	r.lag.caughtUp = false
	l.lanes[0].queue, l.window.entries = nil, nil
	l.progress.Reading = r.next
	l.ended, l.end, l.commits.recommit = false, nil, false
	r.reopen, r.unwanted = true, r.running
	r.stop() // the turn under way may wait for data
	r.ctx, r.stop = context.WithCancel(l.ctx)
}

// mayPutBack reports whether what was read can be read again as it was: nothing of it
// is acknowledged or given up, no attempt is under way, and nobody said that something
// behind it is gone. With keys the lanes share their reads, so there it is kept.
func (l *loop[T]) mayYieldMemory() bool {
	switch {
	case l.closing(), l.gone, l.o.Key != nil, l.reading.lostErr != nil,
		l.end != nil && !errors.Is(l.end, processor.ErrShardClosed),
		l.window.entries[0].from == "":
		return false
	}
	for _, m := range l.window.entries {
		if !m.untouched() {
			return false
		}
	}
	for _, pl := range l.slots {
		if pl.busy || slices.ContainsFunc(pl.deadLetters, func(p *part[T]) bool { return p.givenUp }) {
			return false
		}
	}
	return true
}

// yieldedAt returns what was put back of a read, beginning at one of its items.
func (l *loop[T]) yieldedAt(from processor.Position, first int) (yieldedPart, bool) {
	r := &l.reading
	for i, again := range r.yielded {
		if again.from == from && again.first == first {
			r.yielded = slices.Delete(r.yielded, i, i+1)
			return again, true
		}
	}
	return yieldedPart{}, false
}
