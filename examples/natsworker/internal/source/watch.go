package source

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// watch is what the reader of an idle partition keeps in mind. It is reset by every
// message.
type watch struct {
	since  time.Time // when it was found idle, or its position was last moved
	lookAt time.Time // not before
	ahead  time.Time // since when the stream seems to end before the position
}

const (
	// lookEvery is how often an idle partition looks at the state of the stream, at
	// most. One question serves all partitions of a worker.
	lookEvery = 10 * time.Second

	// moveEvery is how often the position of an idle partition is moved along, in a
	// stream that is not idle: each time is a commit.
	moveEvery = 10 * time.Minute

	// So many looks and moves fit into the life of a message at least.
	looksALife = 8
	movesALife = 4

	// patience is how long a stream may seem to end before the position. A leader that
	// has just been replaced may say so for a moment; a stream that was deleted and
	// made again says so for good.
	patience = 15 * time.Second
)

// idle is a read that found nothing. It moves the position along where that is due.
func (r *reader) idle(ctx context.Context) (batch.Chunk[Message], error) {
	now := time.Now()
	if r.watch.since.IsZero() {
		r.watch.since = now
	}
	c := batch.Chunk[Message]{Next: r.Position()}
	if r.next == 0 || now.Before(r.watch.lookAt) {
		return c, nil
	}
	s, err := r.source.states.recent(ctx, now)
	if processor.IsFatal(err) {
		return c, err
	}
	if err != nil {
		// Replicas answer while there is no leader to ask: this is not worth a failed
		// read, and the pauses that follow one.
		return c, nil
	}
	r.watch.lookAt = now.Add(s.often(lookEvery, looksALife))
	if err := r.judge(now, s); err != nil {
		r.watch.lookAt = time.Time{}
		return batch.Chunk[Message]{}, err
	}
	if r.mayMove(now, s) {
		r.move(ctx, now)
		c.Next = r.Position()
	}
	return c, nil
}

// often returns how often to do something: every d, or more often where that is not so
// many times in the life of a message.
func (s state) often(d, times time.Duration) time.Duration {
	if s.maxAge > 0 {
		d = min(d, s.maxAge/times)
	}
	return d
}

// judge says what is wrong with the position of an idle partition.
func (r *reader) judge(now time.Time, s state) error {
	if err := r.expired(s); err != nil {
		return err
	}
	if s.last+1 >= r.next || s.asked.Before(r.watch.since) { // which is no older than the position
		r.watch.ahead = time.Time{}
		return nil
	}
	if r.watch.ahead.IsZero() {
		r.watch.ahead = now
	}
	err := fmt.Errorf("the stream %s ends at %d, before the position %d of %s", r.source.stream.Name, s.last, r.next, r.subject)
	if now.Sub(r.watch.ahead) < r.source.patience {
		return err
	}
	return fmt.Errorf("%w: %w", batch.ErrExpired, err)
}

// mayMove reports whether it is time to move the position: the stream's beginning is on
// its way here, or may jump here when much expires at once.
func (r *reader) mayMove(now time.Time, s state) bool {
	if s.last+1 <= r.next {
		return false
	}
	near := r.next < s.first+(s.last-s.first)/2
	return near || now.Sub(r.watch.since) >= s.often(moveEvery, movesALife)
}

// move moves the position behind everything of which one server says that nothing in it
// is this partition's. That server may know little of the stream: then the position does
// not move, and moves later.
func (r *reader) move(ctx context.Context, now time.Time) {
	r.watch.since = now
	last, err := r.nothingUpTo(ctx)
	if err == nil && last >= r.next {
		r.next, r.fresh = last+1, false
	}
}

// nothingUpTo returns a sequence up to which there is nothing of the partition from the
// position on, or zero. The two halves of each answer come from one server, whose copy is
// the stream up to some point.
func (r *reader) nothingUpTo(ctx context.Context) (uint64, error) {
	f, err := r.source.gets.get(ctx, getRequest{MultiLast: []string{r.subject}})
	switch {
	case err != nil:
		return 0, err
	case len(f.messages) == 0:
		empty, last, err := r.source.states.empty(ctx, r.subject)
		if err != nil || !empty {
			return 0, err
		}
		return last, nil
	case f.messages[0].Sequence >= r.next:
		return 0, nil
	}
	return f.upTo, nil
}
