package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/shardset"
)

// Shard is the handle of one shard in the hands of its Processor. It is good for
// one call of Process; all methods may be called from any goroutine.
type Shard struct {
	run    *Run
	resume Position
	found  bool
	closed atomic.Bool // Process has returned; set while holding run.slot and run.mu
	// telling counts the calls of ReportPoison and ReportGap that tell the observer. It is
	// raised while holding run.mu, and not any more once closed is set.
	telling sync.WaitGroup
}

// ID returns the shard's ID.
func (s *Shard) ID() shardset.ID { return s.run.id }

// Lease returns the shard's lease as it stands now. Its Epoch is the fencing token
// for the user's own sinks; its NotAfter moves with every heartbeat.
func (s *Shard) Lease() shardset.Lease { return s.run.lease() }

// Resume returns the position to go on from: the last one committed, by whichever
// owner, before this Process started. It is false if nothing was ever committed.
func (s *Shard) Resume() (Position, bool) { return s.resume, s.found }

// ListCheckpoints returns what the store has of all shards of this shard's log. It reads
// only, and is bounded by the commit timeout. The error matches errors.ErrUnsupported if
// the store is not a Lister.
func (s *Shard) ListCheckpoints(ctx context.Context) ([]Stored, error) {
	lister, ok := s.run.runner.cfg.Checkpoints.(Lister)
	if !ok {
		return nil, fmt.Errorf("list the checkpoints of %q: %w", s.run.id.Log, errors.ErrUnsupported)
	}
	ctx, cancel := s.run.storeContext(ctx, time.Now())
	defer cancel()
	return lister.ListCheckpoints(ctx, s.run.id.Log)
}

// Revoked returns a channel that is closed when the shard has to go, for whatever
// reason. If the context is still alive then, there is time to finish: no more than
// the drain timeout.
func (s *Shard) Revoked() <-chan struct{} { return s.run.soft.Done() }

// Cause returns why the shard has to go, ErrRevoked, ErrShutdown, ErrLeaseLost or
// ErrNotOwner, or nil as long as it need not. The first reason stays.
func (s *Shard) Cause() error { return context.Cause(s.run.soft) }

// Check returns nil while the shard is this member's, draining included, and the
// cause of its loss after that: ErrLeaseLost, ErrNotOwner, or ErrReturned once
// Process has returned. It looks at the clock, so it is right even in the first
// instant after a frozen process wakes, before any context could be cancelled. Call
// it before each piece of work that must not be done twice.
func (s *Shard) Check() error {
	if s.closed.Load() {
		return ErrReturned
	}
	return s.run.check(time.Now())
}

// Logger returns the worker's logger with the shard's fields. It is made at each
// call, so keep it. Lines that many shards may write at once can be marked with Fold.
func (s *Shard) Logger() *zap.Logger {
	return s.run.runner.cfg.Logger.With(zap.Stringer("shard", s.run.id), zap.Uint64("epoch", s.run.epoch))
}

// Fold marks a line of Shard.Logger that many shards may write at once. In each 10 s the
// worker writes the first five lines of one level and message; one line counts the others
// and names their shards. A marked line does not wait for the log's sink. The field itself
// is not written.
func Fold() zap.Field { return zap.Field{Key: "rollcall.fold", Type: zapcore.SkipType} }
