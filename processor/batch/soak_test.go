package batch_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

// The long soak is
//
//	go test -run TestSoak -soak 1000000 -timeout 10m ./processor/batch
var soakFlag = flag.Int("soak", 10_000, "number of batches that TestSoak reads")

// mill is a Source without memory of its own: batch n of a shard is its number, of
// random size, and every kind of trouble comes at random.
type mill struct {
	batches int // of a shard
	open    atomic.Int64
	alive   atomic.Int64 // chunks that are not released
	reads   atomic.Int64
}

type millReader struct {
	mill *mill
	at   int
}

func (m *mill) Open(_ context.Context, _ shardset.ID, start batch.Start) (batch.Reader[int], error) {
	r := &millReader{mill: m}
	if start.Position != "" {
		r.at = number(start.Position)
	}
	if rand.IntN(20) == 0 {
		return nil, errLine
	}
	m.open.Add(1)
	return r, nil
}

func (r *millReader) Position() processor.Position { return position(r.at) }

func (r *millReader) Close() error {
	r.mill.open.Add(-1)
	return nil
}

func (r *millReader) Read(ctx context.Context, l batch.Limit) (c batch.Chunk[int], err error) {
	switch rand.IntN(400) {
	case 0:
		return c, errLine
	case 1:
		panic("the mill is broken")
	case 2:
		runtime.Goexit()
	case 3:
		select { // a read that hangs for a while
		case <-time.After(time.Second):
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
	if r.at < r.mill.batches && rand.IntN(20) > 0 {
		r.mill.reads.Add(1)
		r.mill.alive.Add(1)
		c.Items, c.Bytes = []int{r.at, r.at}, rand.Int64N(l.Bytes+1)
		if rand.IntN(50) == 0 {
			c.Bytes = 3 * l.Bytes // a large item
		}
		c.Release = func() { r.mill.alive.Add(-1) }
	}
	if r.at < r.mill.batches {
		r.at++ // a filter may have dropped it
	}
	c.Next, c.More = position(r.at), r.at < r.mill.batches
	if !c.More {
		c.End = batch.EndClosed
	}
	return c, nil
}

// soakWork is a handler that does everything that handlers do.
func soakWork(ctx context.Context, b *batch.Batch[int]) error {
	switch rand.IntN(100) {
	case 0:
		return errors.New("no")
	case 1:
		panic("the handler is ill")
	case 2:
		runtime.Goexit()
	case 3:
		b.AckItem(0)
		return errors.New("not the other one")
	case 4:
		<-ctx.Done() // a rollback, at the latest by the timeout
		return context.Cause(ctx)
	case 5:
		b.Ack()
		return errors.New("too late")
	case 6:
		time.Sleep(time.Duration(rand.Int64N(int64(time.Second))))
	}
	return nil
}

// TestSoak has many shards share a small budget, while everything goes wrong and their
// owners come and go. In the end the budget is full and nothing is left.
func TestSoak(t *testing.T) {
	const shards = 50
	begin := time.Now()
	m := &mill{batches: *soakFlag/shards + 1}
	var runs, lost atomic.Int64
	synctest.Test(t, func(t *testing.T) {
		fake := time.Now()
		budget := batch.NewBudget(20_000, 8)
		store := processor.NewMemoryCheckpoints()
		var all sync.WaitGroup
		for n := range shards {
			o := batch.Options[int]{
				Budget: budget, BatchBytes: 1000, Concurrency: 1 + n%3, Prefetch: n%5 - 1, Timeout: 3 * time.Second,
				Attempts: n % 4, DeadLetter: func(context.Context, *batch.Batch[int], batch.Failure) error { return nil },
			}
			if n%2 == 0 {
				o.Key = strconv.Itoa
			}
			factory := batch.Handle(m, soakWork, o)
			all.Go(func() {
				for epoch := uint64(1); ; epoch++ {
					runs.Add(1)
					lease := shardset.Lease{ID: shardset.ID{Log: "orders", Number: n}, Epoch: epoch}
					switch soakRun(factory, processortest.Config{Lease: lease, Checkpoints: store}) {
					case shardset.OutcomeClosed:
						return
					case shardset.OutcomeReleased, shardset.OutcomeLost:
						lost.Add(1)
					default:
						t.Errorf("shard %d, epoch %d: it failed", n, epoch)
						return
					}
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if budget.Free() != budget.Size() || budget.FreeReads() != 8 {
			t.Errorf("the budget has %d of %d bytes and %d of 8 reads", budget.Free(), budget.Size(), budget.FreeReads())
		}
		if m.open.Load() != 0 || m.alive.Load() != 0 {
			t.Errorf("%d readers are open, and %d chunks not released", m.open.Load(), m.alive.Load())
		}
		for n := range shards {
			if p, _ := store.Position(shardset.ID{Log: "orders", Number: n}); p != position(m.batches) {
				t.Errorf("shard %d is committed up to %q, want %d", n, p, m.batches)
			}
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if n := strings.Count(string(stacks), "created by github.com/rollcall-go/rollcall/processor"); n != 0 {
			t.Errorf("%d goroutines are left:\n%s", n, stacks)
		}
		t.Logf("%d batches of %d shards under %d owners, %d of them cut short, in %v of fake time",
			m.reads.Load(), shards, runs.Load(), lost.Load(), time.Since(fake).Round(time.Second))
	})
	t.Logf("in %v of real time", time.Since(begin).Round(time.Millisecond))
}

// soakRun lets one owner work for a while, and takes the shard from it somehow.
func soakRun(f processor.Factory, cfg processortest.Config) shardset.Outcome {
	run := newRun(cfg)
	run.restart = processor.Backoff{Min: 200 * time.Millisecond, Max: 30 * time.Second}
	out := make(chan shardset.Outcome, 1)
	go run.do(f, func(o shardset.Outcome) { out <- o })
	select {
	case o := <-out:
		return o
	case <-time.After(time.Duration(rand.Int64N(int64(10 * time.Second)))):
	}
	if rand.IntN(2) == 0 {
		run.Revoke(processor.ErrRevoked)
		time.Sleep(time.Duration(rand.Int64N(int64(10 * time.Second))))
	}
	run.Cancel(processor.ErrLeaseLost)
	return <-out
}
