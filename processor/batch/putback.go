package batch

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// lookEvery is how often a batch that waits for another attempt looks whether others
// wait for its memory.
const lookEvery = time.Second

// retry is how far the attempts were of a batch that was put back.
type retry struct {
	from    processor.Position
	attempt int
	dead    *Failure
	began   time.Time
	pauses  schedule
}

// putBack gives up what was read, if all that is being handled waits for another
// attempt and others wait for the memory: it is read again when its time comes. Without
// that a few shards whose sink is down would keep all the others from working.
func (l *loop[T]) putBack(now time.Time) {
	if len(l.waiting) == 0 || now.Before(l.lookAt) {
		return
	}
	l.lookAt = now.Add(lookEvery)
	if !l.mayPutBack() || !l.o.Budget.contended() {
		return
	}
	r := &l.reading
	r.again = r.again[:0]
	r.at, r.nextAt = l.window.entries[0].from, l.waiting[0].retryAt
	for _, p := range l.waiting {
		r.again = append(r.again, retry{p.marks.from, p.attempt, p.dead, p.began, p.pauses})
		if p.retryAt.Before(r.nextAt) {
			r.nextAt = p.retryAt
		}
		l.drop(p)
	}
	for _, p := range l.lanes[0].queue {
		l.finish(p)
	}
	l.waiting, l.lanes[0].queue, l.window.entries = l.waiting[:0], nil, nil
	l.progress.Reading = r.at
	l.ended, l.end, l.commits.force = false, nil, false
	r.stale, r.void = true, r.fetching
	r.stop() // the turn under way may wait for data
	r.ctx, r.stop = context.WithCancel(l.ctx)
}

// mayPutBack reports whether what was read can be read again as it was: nothing of it
// is acknowledged, no attempt is under way, and nobody said that something behind it is
// gone. With keys the lanes share their reads, so there it is kept.
func (l *loop[T]) mayPutBack() bool {
	lane := &l.lanes[0]
	switch {
	case l.closing(), l.o.Key != nil, l.reading.lost != nil,
		l.end != nil && !errors.Is(l.end, processor.ErrShardEnded),
		lane.free+len(l.waiting) != l.o.Concurrency,
		len(l.window.entries) != len(l.waiting)+len(lane.queue),
		l.window.entries[0].from == "":
		return false
	}
	for _, p := range l.waiting {
		if p.marks.begun() {
			return false
		}
	}
	return true
}

// resume has a part go on where its attempts were, if it was put back.
func (l *loop[T]) resume(p *part[T]) {
	r := &l.reading
	for i, again := range r.again {
		if again.from == p.marks.from {
			p.attempt, p.dead, p.began, p.pauses = again.attempt, again.dead, again.began, again.pauses
			l.progress.Retries++
			r.again = append(r.again[:i], r.again[i+1:]...)
			return
		}
	}
}
