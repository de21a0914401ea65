package processor

import (
	"context"

	"github.com/rollcall-go/rollcall/shardset"
)

// Processor works on one shard.
type Processor interface {
	// Process works on s until it is done or s has to go, and returns when no work
	// of it is left, including in goroutines that it started. The package comment
	// says what its result means. ctx ends when the shard must not be touched any
	// more, and when Process has returned; until then, s.Revoked says when to finish.
	Process(ctx context.Context, s *Shard) error
}

// Factory makes the Processor for a shard. It is called afresh for each grant, and
// for each restart after an error, on the goroutine that will run Process. Its
// error, like one of Process, leads to another attempt after a pause. ctx is for making
// the Processor only: it ends already when the shard is revoked, so nothing that
// Process uses, and needs to drain, may depend on it.
type Factory func(ctx context.Context, l shardset.Lease) (Processor, error)

// Func is a Processor that is just a function.
type Func func(ctx context.Context, s *Shard) error

// Process calls f.
func (f Func) Process(ctx context.Context, s *Shard) error { return f(ctx, s) }

// Each returns a Factory that gives f to each shard. f then runs for several shards
// at once; what belongs to one shard lives in its local variables.
func Each(f Func) Factory {
	return func(context.Context, shardset.Lease) (Processor, error) { return f, nil }
}
