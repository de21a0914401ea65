package processor

import (
	"context"

	"github.com/rollcall-go/rollcall/shardset"
)

// Processor processes one shard.
type Processor interface {
	// Process works on s until the work is complete, or until s is revoked or lost. The
	// package comment says what each result means.
	//
	// When s.Revoked closes, Process should complete what it has begun, commit, and return.
	// When ctx ends, Process must stop all work on the shard at once. All goroutines that
	// Process started must stop their work on the shard before Process returns. ctx also ends
	// when Process has returned.
	Process(ctx context.Context, s *Shard) error
}

// Factory makes the Processor for a shard. The worker calls it for each grant, and again for
// each restart after an error, on the goroutine that then calls Process. An error of the
// Factory has the same effect as an error of Process. Use ctx only to make the Processor: ctx
// ends when the shard is revoked, and Process may need more time than that to drain.
type Factory func(ctx context.Context, l shardset.Lease) (Processor, error)

// Func is a function that implements Processor.
type Func func(ctx context.Context, s *Shard) error

// Process calls f.
func (f Func) Process(ctx context.Context, s *Shard) error { return f(ctx, s) }

// FromFunc returns a Factory that uses f for every shard. The worker calls f for several shards
// at the same time, so keep the state of a shard in local variables of f.
func FromFunc(f Func) Factory {
	return func(context.Context, shardset.Lease) (Processor, error) { return f, nil }
}
