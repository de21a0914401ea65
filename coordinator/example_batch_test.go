package coordinator_test

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// orders is a source of which each shard holds so many items and no more.
type orders int

func (n orders) Open(_ context.Context, _ shardset.ID, start batch.Start) (batch.Reader[string], error) {
	if start.Position == "" {
		return &orderReader{end: int(n)}, nil
	}
	at, err := strconv.Atoi(string(start.Position))
	if err != nil {
		return nil, processor.Halt(fmt.Errorf("checkpoint %q: %w", start.Position, err)) // not to be guessed
	}
	return &orderReader{at: at, end: int(n)}, nil
}

type orderReader struct{ at, end int }

func (r *orderReader) Position() processor.Position { return processor.Position(strconv.Itoa(r.at)) }
func (r *orderReader) Close() error                 { return nil }

func (r *orderReader) Read(_ context.Context, l batch.Limit) (batch.Chunk[string], error) {
	var c batch.Chunk[string]
	for ; r.at < r.end && len(c.Items) < l.Items && c.Bytes < l.Bytes; r.at++ {
		item := fmt.Sprint("order ", r.at)
		c.Items, c.Bytes = append(c.Items, item), c.Bytes+int64(len(item))
	}
	c.Next, c.More = r.Position(), r.at < r.end
	if !c.More {
		c.End = batch.EndClosed
	}
	return c, nil
}

// The reading loop: a source, a handler, and the rest is done. Finite lets Run return
// when there is nothing left.
func Example_batch() {
	service, err := memory.New(memory.Config{Shards: shardset.Range("orders", 4)})
	if err != nil {
		log.Fatal(err)
	}
	var handled atomic.Int64
	handle := func(ctx context.Context, b *batch.Batch[string]) error {
		handled.Add(int64(len(b.Items)))
		return nil // acknowledges the batch; an error has it tried again
	}
	c, err := coordinator.New(coordinator.Config{
		Group:     service,
		Processor: batch.Handle(orders(1000), handle, batch.Options[string]{}),
		Finite:    true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Run(context.Background()), handled.Load())
	// Output: <nil> 4000
}
