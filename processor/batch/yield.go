package batch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// yieldCheckEvery is how often a shard checks whether other shards wait for memory, while its own
// batches wait for another attempt.
const yieldCheckEvery = time.Second

// yieldedPart is the history of a part that has released its memory for other shards. The items of the
// part are read again later.
type yieldedPart struct {
	from        processor.Position // where its read began
	first, size int                // its first item in the read, and how many it has
	attemptState
}

// yieldMemory discards all chunks of the shard if its batches wait for another attempt and other shards
// wait for memory. The chunks are read again when the first of these attempts is due. Without this, a
// few shards whose sink is down could stop all others.
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
	for _, s := range slices.Clone(l.slots) {
		if at := s.wakeAt(); at.Before(r.notBefore) {
			r.notBefore = at
		}
		for _, p := range s.parts() {
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
	l.noMoreReads, l.endErr, l.commits.recommit = false, nil, false
	r.reopen, r.discard = true, r.running
	r.stop() // a running read may wait for data
	r.ctx, r.stop = context.WithCancel(l.ctx)
}

// mayYieldMemory reports whether the shard can read the same items again without changing anything: no
// item is acknowledged or was passed to GiveUp, no attempt is running, and reading has not ended with
// an error. With Options.Key, several lanes share a chunk, so the shard keeps its memory.
func (l *loop[T]) mayYieldMemory() bool {
	switch {
	case l.closing(), l.gone, l.o.Key != nil, l.reading.gapErr != nil,
		l.endErr != nil && !errors.Is(l.endErr, processor.ErrShardClosed),
		l.window.entries[0].from == "":
		return false
	}
	for _, a := range l.window.entries {
		if !a.untouched() {
			return false
		}
	}
	for _, s := range l.slots {
		if s.busy || slices.ContainsFunc(s.deadLetters, func(p *part[T]) bool { return p.givenUp }) {
			return false
		}
	}
	return true
}

// takeYielded removes and returns the yielded part that begins at an item of a read. It reports whether
// there was one.
func (l *loop[T]) takeYielded(from processor.Position, first int) (yieldedPart, bool) {
	r := &l.reading
	for i, p := range r.yielded {
		if p.from == from && p.first == first {
			r.yielded = slices.Delete(r.yielded, i, i+1)
			return p, true
		}
	}
	return yieldedPart{}, false
}
