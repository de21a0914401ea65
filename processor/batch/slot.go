package batch

import (
	"slices"
	"time"
)

// slot is a place in a lane, taken by one part. If the part is divided, or the handler calls GiveUp, the
// slot holds all the parts that result. One attempt runs at a time. The slot is free when all its parts
// are released.
type slot[T any] struct {
	lane        int
	toHandle    []*part[T] // for the handler, in order
	deadLetters []*part[T] // for DeadLetter, in order; they come first
	busy        bool       // an attempt is running
}

// takeSlot takes a slot of a lane for a part.
func (l *loop[T]) takeSlot(lane int, p *part[T]) {
	p.slot = &slot[T]{lane: lane, toHandle: []*part[T]{p}}
	if p.deadLetter != nil { // it was a dead letter before it released its memory
		p.slot.moveToDeadLetters(p)
	}
	l.lanes[lane].free--
	l.slots = append(l.slots, p.slot)
}

// leaveSlot removes a part from its slot. Without parts, the slot is free.
func (l *loop[T]) leaveSlot(p *part[T]) {
	s := p.slot
	s.remove(p)
	if len(s.toHandle)+len(s.deadLetters) > 0 {
		return
	}
	l.lanes[s.lane].free++
	i := slices.Index(l.slots, s)
	l.slots = slices.Delete(l.slots, i, i+1)
}

// releaseLane removes a part from its slot and releases it, acknowledged or not.
func (l *loop[T]) releaseLane(p *part[T]) {
	l.leaveSlot(p)
	if p.chunk.parts == 1 {
		p.acks.fixPosition() // before Chunk.Release
	}
	l.releasePart(p)
}

// releasePart releases a part. With its last part, the chunk is released.
func (l *loop[T]) releasePart(p *part[T]) {
	c := p.chunk
	if c.parts--; c.parts > 0 {
		return
	}
	l.reading.buffered -= c.share.bytes
	c.share.release()
	l.releaseChunk(&c.Chunk)
}

// waitsForRetry reports whether any slot waits for its next attempt.
func (l *loop[T]) waitsForRetry() bool {
	return slices.ContainsFunc(l.slots, func(s *slot[T]) bool { return !s.busy })
}

func (s *slot[T]) parts() []*part[T] { return slices.Concat(s.deadLetters, s.toHandle) }

func (s *slot[T]) moveToDeadLetters(p *part[T]) {
	s.remove(p)
	s.deadLetters = append(s.deadLetters, p)
}

func (s *slot[T]) remove(p *part[T]) {
	for _, parts := range []*[]*part[T]{&s.toHandle, &s.deadLetters} {
		if i := slices.Index(*parts, p); i >= 0 {
			*parts = slices.Delete(*parts, i, i+1)
		}
	}
}

// duePart returns the part whose attempt is due, or nil. If the loop is closing, only items that were
// passed to GiveUp are due.
func (s *slot[T]) duePart(now time.Time, closing bool) *part[T] {
	switch {
	case s.busy:
		return nil
	case closing:
		i := slices.IndexFunc(s.deadLetters, func(p *part[T]) bool { return p.givenUp })
		if i < 0 {
			return nil
		}
		return s.deadLetters[i]
	case len(s.deadLetters) > 0 && !now.Before(s.deadLetters[0].retryAt):
		return s.deadLetters[0]
	case len(s.toHandle) > 0 && !now.Before(s.toHandle[0].retryAt):
		return s.toHandle[0]
	}
	return nil
}

// wakeAt returns when the next attempt is due.
func (s *slot[T]) wakeAt() (at time.Time) {
	for _, parts := range [][]*part[T]{s.deadLetters, s.toHandle} {
		if len(parts) > 0 && (at.IsZero() || parts[0].retryAt.Before(at)) {
			at = parts[0].retryAt
		}
	}
	return at
}
