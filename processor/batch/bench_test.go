package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

// stream is a Source without an end of 1 MB batches, each the same.
type stream struct {
	items []int
	left  atomic.Int64 // batches
	delay time.Duration
}

func (s *stream) Open(context.Context, shardset.ID, batch.Start) (batch.Reader[int], error) {
	return s, nil
}
func (s *stream) Position() processor.Position { return "0" }
func (s *stream) Close() error                 { return nil }

func (s *stream) Read(context.Context, batch.Limit) (batch.Chunk[int], error) {
	time.Sleep(s.delay)
	if s.left.Add(-1) < 0 {
		return batch.Chunk[int]{Next: "1", End: batch.EndClosed}, nil
	}
	return batch.Chunk[int]{Items: s.items, Next: "1", Bytes: 1 << 20, More: true}, nil
}

// work runs one shard to its end, in real time.
func work(b *testing.B, id shardset.ID, f processor.Factory) {
	if err := processortest.New(processortest.Config{Lease: shardset.Lease{ID: id}}).Run(f); !errors.Is(err, processor.ErrShardClosed) {
		b.Errorf("Process returned %v, want %v", err, processor.ErrShardClosed)
	}
}

// BenchmarkLoop is what the loop itself costs a batch: nothing is read and nothing is
// done with it.
func BenchmarkLoop(b *testing.B) {
	s := &stream{items: make([]int, 100)}
	s.left.Store(int64(b.N))
	b.ReportAllocs()
	work(b, testShard, batch.Handle(s, func(context.Context, *batch.Batch[int]) error { return nil }, batch.Options[int]{}))
}

// BenchmarkPrefetch is a batch that takes 10 ms to read and 10 ms to handle.
func BenchmarkPrefetch(b *testing.B) {
	for name, prefetch := range map[string]int{"none": -1, "default": 0} {
		b.Run(name, func(b *testing.B) {
			s := &stream{items: make([]int, 100), delay: 10 * time.Millisecond}
			s.left.Store(int64(b.N))
			handle := func(context.Context, *batch.Batch[int]) error {
				time.Sleep(10 * time.Millisecond)
				return nil
			}
			work(b, testShard, batch.Handle(s, handle, batch.Options[int]{Prefetch: prefetch}))
		})
	}
}

// crowd is a Source of a thousand shards. One of them gets items. Each read takes 1 ms.
type crowd struct {
	mu    sync.Mutex // guards the fields below
	items []time.Time
	idle  int // reads of the others
	over  bool
}

type crowdReader struct {
	crowd *crowd
	busy  bool
	at    int
}

func (c *crowd) Open(_ context.Context, id shardset.ID, _ batch.Start) (batch.Reader[time.Time], error) {
	return &crowdReader{crowd: c, busy: id.Number == 0}, nil
}
func (r *crowdReader) Position() processor.Position { return "0" }
func (r *crowdReader) Close() error                 { return nil }

func (r *crowdReader) Read(context.Context, batch.Limit) (batch.Chunk[time.Time], error) {
	time.Sleep(time.Millisecond)
	r.crowd.mu.Lock()
	defer r.crowd.mu.Unlock()
	c := batch.Chunk[time.Time]{Next: position(r.at)}
	if r.crowd.over {
		c.End = batch.EndClosed
	}
	if !r.busy {
		r.crowd.idle++
		return c, nil
	}
	c.Items = slices.Clone(r.crowd.items[r.at:])
	r.at = len(r.crowd.items)
	c.Next, c.Bytes = position(r.at), int64(100*len(c.Items))
	return c, nil
}

// BenchmarkCrowd is 1,000 idle shards and a busy one, for 20 s: how long an item of
// the busy one waits, how often the idle ones are read, and what a shard takes.
func BenchmarkCrowd(b *testing.B) {
	const idle = 1000
	for b.Loop() {
		before := memory()
		c := &crowd{}
		var mu sync.Mutex
		var waits []time.Duration
		f := batch.Handle(c, func(_ context.Context, x *batch.Batch[time.Time]) error {
			mu.Lock()
			defer mu.Unlock()
			for _, at := range x.Items {
				waits = append(waits, time.Since(at))
			}
			return nil
		}, batch.Options[time.Time]{})
		var shards sync.WaitGroup
		for i := range idle + 1 {
			shards.Go(func() { work(b, shardset.ID{Log: "orders", Number: i}, f) })
		}
		time.Sleep(5 * time.Second) // until the idle ones are
		mu.Lock()
		waits = nil
		mu.Unlock()
		c.mu.Lock()
		reads := c.idle
		c.mu.Unlock()
		const items = 400
		for range items {
			time.Sleep(50 * time.Millisecond)
			c.mu.Lock()
			c.items = append(c.items, time.Now())
			c.mu.Unlock()
		}
		time.Sleep(time.Second)
		c.mu.Lock()
		reads, c.over = c.idle-reads, true
		c.mu.Unlock()
		b.ReportMetric(float64(reads)/(items*0.05+1), "idle-reads/s")
		b.ReportMetric(float64(memory()-before)/1024/idle, "KiB/shard")
		shards.Wait()
		slices.Sort(waits)
		b.ReportMetric(waits[len(waits)/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(waits[len(waits)*99/100].Seconds()*1000, "p99-ms")
		if len(waits) != items {
			b.Errorf("%d items were handled, want %d", len(waits), items)
		}
	}
}

// memory is what is in use: the heap and the stacks.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
