package coordinator_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// endless is a source of numbers of which the odd ones are dropped, as by a filter, and
// that ends at a bound only.
type endless struct{}

type endlessReader struct{ at, until int }

func (endless) Open(_ context.Context, _ shardset.ID, start batch.Start) (batch.Reader[int], error) {
	r := &endlessReader{}
	var err error
	if start.Position != "" {
		if r.at, err = strconv.Atoi(string(start.Position)); err != nil {
			return nil, processor.Fatal(err)
		}
	}
	if r.until, err = strconv.Atoi(string(start.UntilPosition)); err != nil {
		return nil, processor.Fatal(err)
	}
	return r, nil
}

func (r *endlessReader) Position() processor.Position { return processor.Position(strconv.Itoa(r.at)) }
func (r *endlessReader) Close() error                 { return nil }

func (r *endlessReader) Read(context.Context, batch.Limit) (c batch.Chunk[int], _ error) {
	for n := 0; n < 10 && r.at != r.until; n++ {
		if r.at%2 == 0 {
			c.Items = append(c.Items, r.at)
		}
		r.at++
	}
	c.Next, c.Bytes, c.More = r.Position(), int64(8*len(c.Items)), true
	if r.at == r.until {
		c.End = batch.EndBound
	}
	return c, nil
}

// A bounded run ends everywhere when the range is done, also where a filter drops its
// last items, and the next run goes on where it ended. A worker joins in the middle.
func TestBoundedRunsEndAndGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 4)
		var mu sync.Mutex
		seen := map[shardset.ID][]int{}
		run := func(until int) {
			cfg := coordinator.Config{Finite: true, Processor: batch.Handle(endless{},
				func(_ context.Context, b *batch.Batch[int]) error {
					time.Sleep(10 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					seen[b.ID()] = append(seen[b.ID()], b.Items...)
					return nil
				}, batch.Options[int]{UntilPosition: func(id shardset.ID) processor.Position {
					return processor.Position(strconv.Itoa(until - id.Number))
				}})}
			a := launch(t, "a", wire.another(), cfg)
			time.Sleep(300 * time.Millisecond)
			b := launch(t, "b", wire.another(), cfg)
			finished(t, 0, time.Minute, a, b)
		}
		run(1000)
		run(2000)
		for i := range 4 {
			got := seen[id(i)]
			for j, n := range got {
				if n != 2*j {
					t.Fatalf("shard %d: item %d is %d, want %d", i, j, n, 2*j)
				}
			}
			if end := 2000 - i; len(got) != (end+1)/2 {
				t.Errorf("shard %d: %d items, want %d", i, len(got), (end+1)/2)
			}
			if p, _ := wire.Position(id(i)); p != processor.Position(strconv.Itoa(2000-i)) {
				t.Errorf("shard %d is committed up to %q, want %d", i, p, 2000-i)
			}
		}
	})
}
