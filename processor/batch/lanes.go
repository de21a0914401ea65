package batch

import (
	"errors"
	"hash/maphash"

	"github.com/rollcall-go/rollcall/processor"
)

// lane is batches that are handled in order, width of them at a time.
type lane[T any] struct {
	queue []*part[T]
	free  int // of its width
}

// newLanes returns one lane as wide as the concurrency, or with keys, as many narrow
// ones.
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

// enqueue files what was read.
func (l *loop[T]) enqueue(from processor.Position, f *readResult[T]) {
	c := &chunk[T]{Chunk: f.chunk, from: from, share: f.share}
	l.reading.held += c.share.bytes
	acks := newAcks(c.Next, c.After, len(c.Items))
	acks.from, acks.lag = from, l.reading.lag
	l.window.push(acks)
	if f.keys == nil {
		c.parts = 1
		l.lanes[0].queue = append(l.lanes[0].queue, &part[T]{chunk: c, acks: acks})
		return
	}
	for i, index := range f.keys {
		if len(index) > 0 {
			c.parts++
			l.lanes[i].queue = append(l.lanes[i].queue, &part[T]{chunk: c, acks: acks, index: index})
		}
	}
}

// laneSeed makes the lanes of equal keys the same in one process.
var laneSeed = maphash.MakeSeed()

// divideByKey says which items belong to which lane. A key that cannot be told stops the
// shard: to guess would break the order.
func (l *loop[T]) divideByKey(f *readResult[T]) error {
	f.keys = make([][]int32, l.o.Concurrency)
	err := l.contain(f.ctx, "Key", func() error {
		for i, item := range f.chunk.Items {
			lane := maphash.String(laneSeed, l.o.Key(item)) % uint64(len(f.keys))
			f.keys[lane] = append(f.keys[lane], int32(i))
		}
		return nil
	})
	if err != nil {
		return processor.Halt(errors.Join(errKey, err))
	}
	return nil
}

var errKey = errors.New("the key of an item cannot be told")
