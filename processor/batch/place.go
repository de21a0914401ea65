package batch

import (
	"slices"
	"time"

	"go.uber.org/zap"
)

// place is a place in a lane, and what is left of the batch that took it: one part, or
// several after the batch was divided or items of it were given up. One attempt of them
// is under way at a time, and the place is free when all are done.
type place[T any] struct {
	lane int
	open []*part[T] // to be handled, in order: the next one when this one is done or dead
	dead []*part[T] // to be taken by DeadLetter, in order
	busy bool       // an attempt is under way
}

// tries is how far the attempts at a part are.
type tries struct {
	attempt  int       // the one under way, or the last one
	began    time.Time // the first one
	since    time.Time // the first one that counts for the bounds
	before   int       // attempts before that
	divided  bool      // the part is a piece of one that failed
	dead     *Failure  // set: it goes to the dead letters, because of this
	reported bool      // the handler gave it up
	pauses   schedule
}

// occupy gives a part a place in a lane.
func (l *loop[T]) occupy(lane int, p *part[T]) {
	p.place = &place[T]{lane: lane, open: []*part[T]{p}}
	if p.dead != nil { // it was put back like that
		p.place.moveToDead(p)
	}
	l.lanes[lane].free--
	l.places = append(l.places, p.place)
}

// vacate takes a part from its place. With the last one the place is free.
func (l *loop[T]) vacate(p *part[T]) {
	pl := p.place
	pl.remove(p)
	if len(pl.open)+len(pl.dead) > 0 {
		return
	}
	l.lanes[pl.lane].free++
	i := slices.Index(l.places, pl)
	l.places = slices.Delete(l.places, i, i+1)
}

func (pl *place[T]) remove(p *part[T]) {
	for _, parts := range []*[]*part[T]{&pl.open, &pl.dead} {
		if i := slices.Index(*parts, p); i >= 0 {
			*parts = slices.Delete(*parts, i, i+1)
		}
	}
}

// moveToDead has DeadLetter take a part.
func (pl *place[T]) moveToDead(p *part[T]) {
	pl.remove(p)
	pl.dead = append(pl.dead, p)
}

func (pl *place[T]) parts() []*part[T] { return slices.Concat(pl.dead, pl.open) }

// leaveBehind leaves a part to the next owner, and with one that DeadLetter did not take the
// others that it would be called for: it may be down, and the shard has to go.
func (l *loop[T]) leaveBehind(p *part[T]) {
	parts := []*part[T]{p}
	if p.dead != nil {
		parts = slices.Clone(p.place.dead)
	}
	for _, p := range parts {
		l.drop(p)
	}
}

// due returns the part whose attempt is to begin, or nil. When the shard has to go
// these are only the items that the handler gave up before.
func (pl *place[T]) due(now time.Time, closing bool) *part[T] {
	switch {
	case pl.busy:
		return nil
	case closing:
		i := slices.IndexFunc(pl.dead, func(p *part[T]) bool { return p.reported })
		if i < 0 {
			return nil
		}
		return pl.dead[i]
	case len(pl.dead) > 0 && !now.Before(pl.dead[0].retryAt):
		return pl.dead[0]
	case len(pl.open) > 0 && !now.Before(pl.open[0].retryAt):
		return pl.open[0]
	}
	return nil
}

// wakeAt returns when the next attempt is due.
func (pl *place[T]) wakeAt() (at time.Time) {
	for _, parts := range [][]*part[T]{pl.dead, pl.open} {
		if len(parts) > 0 && (at.IsZero() || parts[0].retryAt.Before(at)) {
			at = parts[0].retryAt
		}
	}
	return at
}

// waits reports whether anything waits for another attempt.
func (l *loop[T]) waits() bool {
	return slices.ContainsFunc(l.places, func(pl *place[T]) bool { return !pl.busy })
}

// next takes the next part from the queue of a lane: as many items as are handled
// together, or what was handled together before it was put back.
func (l *loop[T]) next(lane *lane[T]) *part[T] {
	p := lane.queue[0]
	n := p.size()
	if l.o.HandleItems > 0 {
		n = min(n, l.o.HandleItems)
	}
	again, found := l.putBackAt(p.marks.from, p.first())
	if found {
		n = min(again.size, p.size())
	}
	if n < p.size() {
		index := p.items()
		rest := &part[T]{chunk: p.chunk, marks: p.marks, index: index[n:]}
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
		p.tries = again.tries
	}
	return p
}

// pieces is into how many parts a batch that failed is divided. With four of them one bad
// item is found about as soon as with two, and if all are bad there are fewer attempts.
const pieces = 4

// split has what is left of a part tried in smaller parts, in its place and in order.
func (l *loop[T]) split(a *attempt[T]) {
	p, pl := a.part, a.part.place
	left := slices.DeleteFunc(slices.Clone(p.items()), func(i int32) bool { return p.marks.acked(int(i)) })
	if !p.divided {
		l.log().Warn("batch failed for good: its parts are tried by themselves",
			zap.String("from", string(a.failure.From)), zap.Int("attempt", p.attempt), zap.Int("items", len(left)), zap.Error(a.err))
	}
	var parts []*part[T]
	for index := range slices.Chunk(left, (len(left)+pieces-1)/pieces) {
		parts = append(parts, &part[T]{
			chunk: p.chunk, marks: p.marks, index: index, place: pl,
			tries: tries{attempt: p.attempt, began: p.began, divided: true},
		})
	}
	l.progress.Items += int64(p.size() - len(left))
	p.chunk.parts += len(parts) - 1
	pl.open = append(parts, pl.open[1:]...)
}

// items returns where the part's items are in the chunk.
func (p *part[T]) items() []int32 {
	if p.index != nil {
		return p.index
	}
	all := make([]int32, p.marks.size)
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
