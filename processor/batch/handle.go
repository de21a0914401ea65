package batch

import (
	"context"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Handle returns a Factory whose processors read batches from src and call fn for each. If fn returns
// nil, the whole batch is acknowledged, unless the ctx of the call has ended. After an error or a panic,
// the Options decide. fn is called concurrently for several shards, and with Options.Concurrency above
// 1 also for several batches of one shard.
//
// If src, fn or o is wrong, the worker ends when its first shard starts. The worker's error matches
// *shardset.ConfigError and lists every fault. To check o earlier, call Options.Validate.
func Handle[T any](src Source[T], fn func(ctx context.Context, b *Batch[T]) error, o Options[T]) processor.Factory {
	faults := &shardset.ConfigError{Config: "batch.Options"}
	if src == nil {
		faults.Add("Source", "is nil")
	}
	if fn == nil {
		faults.Add("Handler", "is nil")
	}
	err := o.setDefaults(faults)
	return func(context.Context, shardset.Lease) (processor.Processor, error) {
		if err != nil {
			return nil, processor.Fatal(err)
		}
		return processor.Func(func(ctx context.Context, s *processor.Shard) error {
			return newLoop(ctx, s, src, fn, o).run()
		}), nil
	}
}
