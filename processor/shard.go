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

// Shard gives Process access to its shard: the position to start from, the lease, commits and
// reports. It is valid for one call of Process.
type Shard struct {
	host Host
	id   shardset.ID
	slot chan struct{} // full while a commit is in flight

	returned atomic.Bool    // Process has returned; set while holding slot and mu
	mu       sync.Mutex     // calls grows only under mu and before returned is set
	calls    sync.WaitGroup // reports in flight
}

// ID returns the shard's ID.
func (s *Shard) ID() shardset.ID { return s.id }

// Lease returns the current lease. Each answered heartbeat extends it, so call Lease again for
// a new NotAfter. Use the Epoch as the fencing token for your own sinks.
func (s *Shard) Lease() shardset.Lease { return s.host.Lease() }

// Resume returns the position to start from: the last one that was committed, by any owner,
// before this call of Process. It returns false if no position was ever committed.
func (s *Shard) Resume() (Position, bool) { return s.host.Resume() }

// ListCheckpoints returns the stored checkpoints of all shards of this shard's log. It claims
// no shard. It takes at most coordinator.Config.CommitTimeout. The error matches
// errors.ErrUnsupported if the store is not a Lister.
func (s *Shard) ListCheckpoints(ctx context.Context) ([]Checkpoint, error) {
	return s.host.ListCheckpoints(ctx)
}

// Revoked returns a channel that closes when Process must return, for any reason: see Cause. If
// the context is still alive, Process has the drain timeout to finish.
func (s *Shard) Revoked() <-chan struct{} { return s.host.Context().Done() }

// Cause returns why Process must return: ErrRevoked, ErrShutdown, ErrLeaseLost or ErrNotOwner.
// It returns nil as long as Process may continue. A later cause does not replace the first one:
// if the lease is lost during a drain, Cause still returns ErrRevoked or ErrShutdown, and Check
// returns ErrLeaseLost.
func (s *Shard) Cause() error { return context.Cause(s.host.Context()) }

// Check returns nil as long as this member owns the shard, which includes the drain. Otherwise
// it returns ErrLeaseLost or ErrNotOwner, or ErrReturned after Process has returned.
//
// Call Check before each piece of work that must not be done twice. It compares the lease with
// the clock. So it also detects the loss in a process that was frozen until after its lease
// expired, even before any context is cancelled.
func (s *Shard) Check() error {
	if s.returned.Load() {
		return ErrReturned
	}
	return s.host.Check()
}

// Commit stores p as the position to start from next. It means that everything before p has
// been processed. When Commit returns nil, p is durable. Concurrent commits of one shard wait
// for each other.
//
// The error matches
//   - ErrLeaseLost if the lease has ended, or ErrNotOwner if the store says that another member
//     owns the shard: p is not stored, and the worker cancels the context with this cause;
//   - ErrEmptyPosition, ErrReturned, or the cause of ctx if ctx ended before the store was
//     called: p is not stored;
//   - the error of CheckpointHooks.Before: p is not stored;
//   - any other error of the store: p may or may not be stored. Commit again.
//
// The store must answer within coordinator.Config.CommitTimeout and before the lease expires. A
// heartbeat that is answered during the call does not extend this time. Do not call Commit from
// a commit hook: it would wait for itself.
func (s *Shard) Commit(ctx context.Context, p Position) error {
	if p == "" {
		return fmt.Errorf("commit of shard %s: %w", s.id, ErrEmptyPosition)
	}
	select {
	case s.slot <- struct{}{}: // even if ctx has ended: the host may return a better reason
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

// Logger returns the worker's logger with the shard and the epoch as fields. Each call makes a
// new logger, so keep the result. Use Fold to mark lines that many shards may write at once.
func (s *Shard) Logger() *zap.Logger { return s.host.Logger() }

// Fold returns a field that marks a line of Shard.Logger which many shards may write at once,
// for example in an outage. The worker folds marked lines that have the same level and message:
// in each 10 s it writes the first five, and then one line with the number of the others and
// the names of their shards. It writes marked lines in the background, so a slow log does not
// delay the processor. The field itself is not written.
func Fold() zap.Field { return zap.Field{Key: "rollcall.fold", Type: zapcore.SkipType} }
