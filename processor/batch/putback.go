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
const lookEvery = time.Second

// retry is how far the attempts were of a part that was put back.
type retry struct {
	from        processor.Position
	first, size int // its items in the read
	tries
}

// putBack gives up what was read, if all that is being handled waits for another
// attempt and others wait for the memory: it is read again when its time comes. Without
// that a few shards whose sink is down would keep all the others from working.
func (l *loop[T]) putBack(now time.Time) {
	if !l.waits() || now.Before(l.lookAt) {
		return
	}
	l.lookAt = now.Add(lookEvery)
	if !l.mayPutBack() || !l.o.Budget.contended() {
		return
	}
	r := &l.reading
	r.again = r.again[:0]
	r.at, r.nextAt = l.window.entries[0].from, l.places[0].wakeAt()
	for _, pl := range slices.Clone(l.places) {
		if at := pl.wakeAt(); at.Before(r.nextAt) {
			r.nextAt = at
		}
		for _, p := range pl.parts() {
			r.again = append(r.again, retry{p.marks.from, p.first(), p.size(), p.tries})
			l.drop(p)
		}
	}
	for _, p := range l.lanes[0].queue {
		l.finish(p)
	}
	r.seen = l.window.entries[0].seen
	r.seen.caughtUp = false
	l.lanes[0].queue, l.window.entries = nil, nil
	l.progress.Reading = r.at
	l.ended, l.end, l.commits.force = false, nil, false
	r.stale, r.void = true, r.fetching
	r.stop() // the turn under way may wait for data
	r.ctx, r.stop = context.WithCancel(l.ctx)
}

// mayPutBack reports whether what was read can be read again as it was: nothing of it
// is acknowledged or given up, no attempt is under way, and nobody said that something
// behind it is gone. With keys the lanes share their reads, so there it is kept.
func (l *loop[T]) mayPutBack() bool {
	switch {
	case l.closing(), l.gone, l.o.Key != nil, l.reading.lost != nil,
		l.end != nil && !errors.Is(l.end, processor.ErrShardEnded),
		l.window.entries[0].from == "":
		return false
	}
	for _, m := range l.window.entries {
		if !m.untouched() {
			return false
		}
	}
	for _, pl := range l.places {
		if pl.busy || slices.ContainsFunc(pl.dead, func(p *part[T]) bool { return p.reported }) {
			return false
		}
	}
	return true
}

// putBackAt returns what was put back of a read, beginning at one of its items.
func (l *loop[T]) putBackAt(from processor.Position, first int) (retry, bool) {
	r := &l.reading
	for i, again := range r.again {
		if again.from == from && again.first == first {
			r.again = slices.Delete(r.again, i, i+1)
			return again, true
		}
	}
	return retry{}, false
}
