package batch

import (
	"errors"
	"hash/maphash"

	"github.com/rollcall-go/rollcall/processor"
)

// lane is a queue of parts. The handler gets them in order, as many at a time as the lane has slots.
type lane[T any] struct {
	queue []*part[T]
	free  int // slots
}

// newLanes returns one lane with Options.Concurrency slots. With Options.Key it returns that many lanes
// with one slot.
func newLanes[T any](o Options[T]) []lane[T] {
	if o.Key == nil {
		return []lane[T]{{free: o.Concurrency}}
	}
	lanes := make([]lane[T], o.Concurrency)
	for i := range lanes {
		lanes[i].free = 1
	}
	return lanes
}

// enqueue adds the result of a read to the window and to the lanes.
func (l *loop[T]) enqueue(from processor.Position, res *readResult[T]) {
	c := &chunk[T]{Chunk: res.chunk, from: from, share: res.share}
	l.reading.buffered += c.share.bytes
	acks := newAcks(c.Next, c.After, len(c.Items))
	acks.from, acks.lag = from, l.reading.lag
	l.window.push(acks)
	if res.keys == nil {
		c.parts = 1
		l.lanes[0].queue = append(l.lanes[0].queue, &part[T]{chunk: c, acks: acks})
		return
	}
	for i, index := range res.keys {
		if len(index) > 0 {
			c.parts++
			l.lanes[i].queue = append(l.lanes[i].queue, &part[T]{chunk: c, acks: acks, index: index})
		}
	}
}

// nextPart takes the next part from the queue of a lane. It has up to Options.HandleItems items. Items
// that were one part before they released their memory for other shards become one part again.
func (l *loop[T]) nextPart(lane *lane[T]) *part[T] {
	p := lane.queue[0]
	n := p.size()
	if l.o.HandleItems > 0 {
		n = min(n, l.o.HandleItems)
	}
	yielded, found := l.takeYielded(p.acks.from, p.first())
	if found {
		n = min(yielded.size, p.size())
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
		p.attemptState = yielded.attemptState
	}
	return p
}

var laneSeed = maphash.MakeSeed()

// divideByKey assigns the items to lanes. If Options.Key fails, it returns an error that halts the
// shard: any choice of a lane could break the order.
func (l *loop[T]) divideByKey(res *readResult[T]) error {
	res.keys = make([][]int32, l.o.Concurrency)
	err := l.call(res.ctx, "Key", func() error {
		for i, item := range res.chunk.Items {
			lane := maphash.String(laneSeed, l.o.Key(item)) % uint64(len(res.keys))
			res.keys[lane] = append(res.keys[lane], int32(i))
		}
		return nil
	})
	if err != nil {
		return processor.Halt(errors.Join(errKey, err))
	}
	return nil
}

var errKey = errors.New("Options.Key failed")
