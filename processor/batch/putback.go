package batch

import (
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// retry is how often something was tried that was put back.
type retry struct {
	from    processor.Position
	attempt int
	began   time.Time
	pauses  schedule
}

// putBack gives up a batch that waits for another attempt, and what was read behind it,
// if others wait for the memory: it will be read again when its time comes. Without
// that a few shards whose sink is down would keep all the others from working.
//
// It needs a batch of which nothing is acknowledged, because what is read again comes
// whole; with keys the lanes share a read, so there it is kept.
func (l *loop[T]) putBack(p *part[T]) {
	r := &l.reading
	over := l.ended && l.end != nil && !errors.Is(l.end, processor.ErrShardEnded) // for good
	if over || r.lost != nil || p.index != nil || p.marks.from == "" || !l.o.Budget.contended() {
		return
	}
	if len(l.waiting) > 1 || l.lanes[0].free != l.o.Concurrency-1 || l.window.entries[0] != p.marks || p.marks.begun() {
		return // others are at work on what was read with it
	}
	r.again = &retry{from: p.marks.from, attempt: p.attempt, began: p.began, pauses: p.pauses}
	r.at, r.nextAt, r.stale, r.void = p.marks.from, p.retryAt, true, r.fetching
	l.ended, l.end, l.commits.force = false, nil, false
	l.waiting = l.waiting[:0]
	l.window.entries = nil
	l.drop(p)
	for _, p := range l.lanes[0].queue {
		l.finish(p)
	}
	l.lanes[0].queue = nil
}

// resume has a part go on where its attempts were, if it was put back.
func (l *loop[T]) resume(p *part[T]) {
	again := l.reading.again
	l.reading.again = nil
	if again == nil || again.from != p.marks.from {
		return
	}
	p.attempt, p.began, p.pauses = again.attempt, again.began, again.pauses
	l.progress.Retries++
}
