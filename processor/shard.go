package processor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/shardset"
)

// Shard is a Processor's handle of its shard. It is good for one call of Process; all
// methods may be called from any goroutine.
type Shard struct {
	host Host
	id   shardset.ID
	slot chan struct{} // held by the commit in flight

	// returned is set when Process has returned: while holding slot and mu.
	returned atomic.Bool
	mu       sync.Mutex // guards calls against settle; held for no call
	// calls counts the reports under way. It does not rise once returned is set.
	calls sync.WaitGroup
}

// ID returns the shard's ID.
func (s *Shard) ID() shardset.ID { return s.id }

// Lease returns the shard's lease as it stands now. Its Epoch is the fencing token
// for the user's own sinks; its NotAfter moves with every heartbeat.
func (s *Shard) Lease() shardset.Lease { return s.host.Lease() }

// Resume returns the position to go on from: the last one that any owner committed
// before this Process started. It is false if nothing was ever committed.
func (s *Shard) Resume() (Position, bool) { return s.host.Resume() }

// ListCheckpoints returns what the store has of all shards of this shard's log. It reads
// only, and is bounded by the commit timeout. The error matches errors.ErrUnsupported if
// the store is not a Lister.
func (s *Shard) ListCheckpoints(ctx context.Context) ([]Stored, error) {
	return s.host.ListCheckpoints(ctx)
}

// Revoked returns a channel that is closed when the shard has to go, for whatever
// reason. If the context is still alive then, there is time to finish: no more than
// the drain timeout.
func (s *Shard) Revoked() <-chan struct{} { return s.host.Context().Done() }

// Cause returns why the shard has to go, ErrRevoked, ErrShutdown, ErrLeaseLost or
// ErrNotOwner, or nil as long as it need not. The first reason stays.
func (s *Shard) Cause() error { return context.Cause(s.host.Context()) }

// Check returns nil while the shard is this member's, draining included, and the
// cause of its loss after that: ErrLeaseLost, ErrNotOwner, or ErrReturned once
// Process has returned. It looks at the clock, so it is right even in the first
// instant after a frozen process wakes, before any context could be cancelled. Call
// it before each piece of work that must not be done twice.
func (s *Shard) Check() error {
	if s.returned.Load() {
		return ErrReturned
	}
	return s.host.Check()
}

// Commit stores p as the place to go on from: everything before it has been
// processed. When it returns nil, p is durable and the next owner starts there.
// Commits of one shard are made one after the other.
//
// It returns ErrLeaseLost if the lease has expired, and an error that matches
// ErrNotOwner if the store says that another member has the shard; in both cases
// nothing was stored and the context is cancelled with that cause. It returns the
// error of the Before hook if that vetoed, ErrEmptyPosition, ErrReturned, or the error
// of the store: then p may or may not be stored, and a later commit settles it.
//
// A commit ends by itself after the commit timeout, or when the lease expires as it
// stood when the commit began; with a ctx that has ended it does not reach the store.
// Do not call it from a commit hook: it would wait for itself.
func (s *Shard) Commit(ctx context.Context, p Position) error {
	if p == "" {
		return fmt.Errorf("commit of shard %s: %w", s.id, ErrEmptyPosition)
	}
	select {
	case s.slot <- struct{}{}: // even if ctx has ended: the reason may be a better one
	default:
		select {
		case s.slot <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("commit of shard %s: %w", s.id, context.Cause(ctx))
		}
	}
	defer func() { <-s.slot }()
	if s.returned.Load() {
		return fmt.Errorf("commit of shard %s: %w", s.id, ErrReturned)
	}
	return s.host.Commit(ctx, p)
}

// Logger returns the worker's logger with the shard's fields. It is made at each
// call, so keep it. Lines that many shards may write at once can be marked with Fold.
func (s *Shard) Logger() *zap.Logger { return s.host.Logger() }

// Fold marks a line of Shard.Logger that many shards may write at once. In each 10 s the
// worker writes the first five lines of one level and message; one line counts the others
// and names their shards. A marked line does not wait for the log's sink. The field itself
// is not written.
func Fold() zap.Field { return zap.Field{Key: "rollcall.fold", Type: zapcore.SkipType} }
