package batch

import (
	"slices"
	"time"

	"go.uber.org/zap"
)

// slot is a place in a lane, and what is left of the batch that took it: one part, or
// several after the batch was divided or items of it were given up. One attempt of them
// is under way at a time, and the place is free when all are done.
type slot[T any] struct {
	lane        int
	toHandle    []*part[T] // to be handled, in order: the next one when this one is done or dead
	deadLetters []*part[T] // to be taken by DeadLetter, in order
	busy        bool       // an attempt is under way
}

// attemptState is how far the attempts at a part are.
type attemptState struct {
	attempt        int       // the one under way, or the last one
	firstAt        time.Time // the first one
	boundsSince    time.Time // the first one that counts for the bounds
	attemptsBefore int       // attempts before that
	divided        bool      // the part is a piece of one that failed
	deadLetter     *Failure  // set: it goes to the dead letters, because of this
	givenUp        bool      // the handler gave it up
	pauses         schedule
}

// takeSlot gives a part a place in a lane.
func (l *loop[T]) takeSlot(lane int, p *part[T]) {
	p.slot = &slot[T]{lane: lane, toHandle: []*part[T]{p}}
	if p.deadLetter != nil { // it was put back like that
		p.slot.moveToDeadLetters(p)
	}
	l.lanes[lane].free--
	l.slots = append(l.slots, p.slot)
}

// leaveSlot takes a part from its place. With the last one the place is free.
func (l *loop[T]) leaveSlot(p *part[T]) {
	pl := p.slot
	pl.remove(p)
	if len(pl.toHandle)+len(pl.deadLetters) > 0 {
		return
	}
	l.lanes[pl.lane].free++
	i := slices.Index(l.slots, pl)
	l.slots = slices.Delete(l.slots, i, i+1)
}

func (pl *slot[T]) remove(p *part[T]) {
	for _, parts := range []*[]*part[T]{&pl.toHandle, &pl.deadLetters} {
		if i := slices.Index(*parts, p); i >= 0 {
			*parts = slices.Delete(*parts, i, i+1)
		}
	}
}

// moveToDead has DeadLetter take a part.
func (pl *slot[T]) moveToDeadLetters(p *part[T]) {
	pl.remove(p)
	pl.deadLetters = append(pl.deadLetters, p)
}

func (pl *slot[T]) parts() []*part[T] { return slices.Concat(pl.deadLetters, pl.toHandle) }

// leaveBehind leaves a part to the next owner, and with one that DeadLetter did not take the
// others that it would be called for: it may be down, and the shard has to go.
func (l *loop[T]) leaveToNextOwner(p *part[T]) {
	parts := []*part[T]{p}
	if p.deadLetter != nil {
		parts = slices.Clone(p.slot.deadLetters)
	}
	for _, p := range parts {
		l.releaseLane(p)
	}
}

// due returns the part whose attempt is to begin, or nil. When the shard has to go
// these are only the items that the handler gave up before.
func (pl *slot[T]) duePart(now time.Time, closing bool) *part[T] {
	switch {
	case pl.busy:
		return nil
	case closing:
		i := slices.IndexFunc(pl.deadLetters, func(p *part[T]) bool { return p.givenUp })
		if i < 0 {
			return nil
		}
		return pl.deadLetters[i]
	case len(pl.deadLetters) > 0 && !now.Before(pl.deadLetters[0].retryAt):
		return pl.deadLetters[0]
	case len(pl.toHandle) > 0 && !now.Before(pl.toHandle[0].retryAt):
		return pl.toHandle[0]
	}
	return nil
}

// wakeAt returns when the next attempt is due.
func (pl *slot[T]) wakeAt() (at time.Time) {
	for _, parts := range [][]*part[T]{pl.deadLetters, pl.toHandle} {
		if len(parts) > 0 && (at.IsZero() || parts[0].retryAt.Before(at)) {
			at = parts[0].retryAt
		}
	}
	return at
}

// waits reports whether anything waits for another attempt.
func (l *loop[T]) waitsForRetry() bool {
	return slices.ContainsFunc(l.slots, func(pl *slot[T]) bool { return !pl.busy })
}

// next takes the next part from the queue of a lane: as many items as are handled
// together, or what was handled together before it was put back.
func (l *loop[T]) nextPart(lane *lane[T]) *part[T] {
	p := lane.queue[0]
	n := p.size()
	if l.o.HandleItems > 0 {
		n = min(n, l.o.HandleItems)
	}
	again, found := l.yieldedAt(p.acks.from, p.first())
	if found {
		n = min(again.size, p.size())
	}
	if n < p.size() {
		index := p.items()
		rest := &part[T]{chunk: p.chunk, acks: p.acks, index: index[n:]}
		p.index = index[:n:n]
		p.chunk.parts++
		lane.queue[0] = rest
	} else {
		lane.queue[0] = nil
		if lane.queue = lane.queue[1:]; len(lane.queue) == 0 {
			lane.queue = nil
		}
	}
	if found {
		p.attemptState = again.attemptState
	}
	return p
}

// pieces is into how many parts a batch that failed is divided. With four of them one bad
// item is found about as soon as with two, and if all are bad there are fewer attempts.
const pieces = 4

// divide has what is left of a part tried in smaller parts, in its place and in order.
func (l *loop[T]) divide(a *attempt[T]) {
	p, pl := a.part, a.part.slot
	left := slices.DeleteFunc(slices.Clone(p.items()), func(i int32) bool { return p.acks.acked(int(i)) })
	if !p.divided {
		l.log().Warn("batch failed for good: its parts are tried by themselves",
			zap.String("from", string(a.failure.From)), zap.Int("attempt", p.attempt), zap.Int("items", len(left)), zap.Error(a.err))
	}
	var parts []*part[T]
	for index := range slices.Chunk(left, (len(left)+pieces-1)/pieces) {
		parts = append(parts, &part[T]{
			chunk: p.chunk, acks: p.acks, index: index, slot: pl,
			attemptState: attemptState{attempt: p.attempt, firstAt: p.firstAt, divided: true},
		})
	}
	l.progress.Items += int64(p.size() - len(left))
	p.chunk.parts += len(parts) - 1
	pl.toHandle = append(parts, pl.toHandle[1:]...)
}

// items returns where the part's items are in the chunk.
func (p *part[T]) items() []int32 {
	if p.index != nil {
		return p.index
	}
	all := make([]int32, p.acks.size)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// first returns where its first item is.
func (p *part[T]) first() int {
	if len(p.index) == 0 {
		return 0
	}
	return int(p.index[0])
}
