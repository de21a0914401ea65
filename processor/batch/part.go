package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// chunk is the result of one read, until its last part is released.
type chunk[T any] struct {
	Chunk[T]
	from  processor.Position
	share share
	parts int // number of parts that are not released
}

// part is the items of a chunk that are handled together: all, or some. It belongs to the loop. While
// an attempt runs, the goroutine of the attempt may use it, too.
type part[T any] struct {
	chunk *chunk[T]
	acks  *acks
	index []int32 // the indexes of its items in the chunk; nil: all of the chunk
	slot  *slot[T]
	attemptState

	retryAt time.Time // when the next attempt may begin; zero: now
}

// attemptState is the history of the attempts at a part. Options.Attempts and Options.Elapsed begin
// anew when a part is divided.
type attemptState struct {
	attempt        int       // the number of the running or the last attempt
	firstAt        time.Time // when the first attempt began
	boundsSince    time.Time // when Elapsed began; zero: with the next attempt
	attemptsBefore int       // number of attempts that Attempts does not count
	divided        bool      // the part was made by dividing one that failed
	deadLetter     *Failure  // if set, the part goes to DeadLetter because of this failure
	givenUp        bool      // the handler called GiveUp
	pauses         schedule
}

// batch returns the Batch for the next attempt: the items that are not acknowledged.
func (p *part[T]) batch(s *processor.Shard, signal *ackSignal) *Batch[T] {
	c := p.chunk
	b := &Batch[T]{
		Items: c.Items, From: c.from, Next: c.Next, Bytes: c.Bytes, Lag: c.Lag,
		Attempt: p.attempt, shard: s, ackSignal: signal, part: p,
	}
	if p.index == nil && !p.acks.partial() {
		return b
	}
	b.Items = nil
	for _, i := range p.items() {
		if !p.acks.acked(int(i)) {
			b.Items, b.index = append(b.Items, c.Items[i]), append(b.index, i)
		}
	}
	return b
}

// items returns the indexes of the part's items in the chunk.
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

// first returns the index of the part's first item in the chunk.
func (p *part[T]) first() int {
	if len(p.index) == 0 {
		return 0
	}
	return int(p.index[0])
}

// size returns how many items the part has.
func (p *part[T]) size() int {
	if p.index == nil {
		return p.acks.size
	}
	return len(p.index)
}

// left returns how many items of the part are not acknowledged.
func (p *part[T]) left() (n int) {
	for i := range p.size() {
		if p.index != nil {
			i = int(p.index[i])
		}
		if !p.acks.acked(i) {
			n++
		}
	}
	return n
}

// done reports whether every item of the part is acknowledged.
func (p *part[T]) done() bool {
	if p.index == nil {
		return p.acks.done()
	}
	return p.left() == 0
}

// ackAll acknowledges every item of the part.
func (p *part[T]) ackAll() {
	if p.index == nil {
		p.acks.ackAll()
		return
	}
	for _, i := range p.index {
		p.acks.ack(int(i))
	}
}
