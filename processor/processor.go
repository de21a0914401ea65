package processor

import (
	"context"

	"github.com/rollcall-go/rollcall/shardset"
)

// Processor works on one shard.
type Processor interface {
	// Process works on s until the work is complete or s has to go. It returns when no
	// goroutine that it started works on the shard any more. The package comment says what
	// its result means. When s.Revoked closes, Process should finish; when ctx ends, it
	// must not touch the shard any more. ctx also ends when Process has returned.
	Process(ctx context.Context, s *Shard) error
}

// Factory makes the Processor of a shard. The worker calls it for each grant, and again for
// each restart after an error, on the goroutine that will call Process. If it returns an
// error, the worker tries again after a pause, as after an error of Process. ctx ends as
// soon as the shard is revoked: use it to make the Processor, and for nothing that Process
// needs while it drains.
type Factory func(ctx context.Context, l shardset.Lease) (Processor, error)

// Func is a Processor that is a function.
type Func func(ctx context.Context, s *Shard) error

// Process calls f.
func (f Func) Process(ctx context.Context, s *Shard) error { return f(ctx, s) }

// FromFunc returns a Factory that uses f for each shard. Several calls of f run at once: keep
// the state of a shard in local variables of f.
func FromFunc(f Func) Factory {
	return func(context.Context, shardset.Lease) (Processor, error) { return f, nil }
}
