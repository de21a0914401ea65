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

// Shard is what Process gets of its shard: the position to start from, the lease, and the
// way to commit. It is valid for one call of Process.
type Shard struct {
	host Host
	id   shardset.ID
	slot chan struct{} // held by the commit in flight

	returned atomic.Bool    // Process has returned; set while holding slot and mu
	mu       sync.Mutex     // keeps calls from rising once returned is set; held for no call
	calls    sync.WaitGroup // reports under way
}

// ID returns the shard's ID.
func (s *Shard) ID() shardset.ID { return s.id }

// Lease returns the lease as it stands now. Use its Epoch as the fencing token for your own
// sinks. Each answered heartbeat moves its NotAfter.
func (s *Shard) Lease() shardset.Lease { return s.host.Lease() }

// Resume returns the position to start from: the last one that any owner committed before
// this call of Process. It returns false if no position was ever committed.
func (s *Shard) Resume() (Position, bool) { return s.host.Resume() }

// ListCheckpoints returns what the store has of all shards of this shard's log. It claims
// and changes nothing. The commit timeout bounds it. The error matches errors.ErrUnsupported
// if the store is not a Lister.
func (s *Shard) ListCheckpoints(ctx context.Context) ([]Checkpoint, error) {
	return s.host.ListCheckpoints(ctx)
}

// Revoked returns a channel that closes when the shard has to go, for any reason: see
// Cause. If the context is still alive then, Process has the drain timeout to finish.
func (s *Shard) Revoked() <-chan struct{} { return s.host.Context().Done() }

// Cause returns why the shard has to go: ErrRevoked, ErrShutdown, ErrLeaseLost or
// ErrNotOwner. It returns nil while the shard may stay. The first cause stays.
func (s *Shard) Cause() error { return context.Cause(s.host.Context()) }

// Check returns nil while this member owns the shard, also while it drains. Afterwards it
// returns ErrLeaseLost, ErrNotOwner, or ErrReturned once Process has returned. Call it
// before each piece of work that must not be done twice. It looks at the clock: when a
// frozen process wakes after its lease has expired, Check says so before any context is
// cancelled.
func (s *Shard) Check() error {
	if s.returned.Load() {
		return ErrReturned
	}
	return s.host.Check()
}

// Commit stores p as the position to start from next: everything before p has been
// processed. When Commit returns nil, p is durable. Concurrent commits of one shard wait
// for each other.
//
// The error matches
//   - ErrLeaseLost if the lease has expired, and ErrNotOwner if the store says that another
//     member has the shard. p is not stored, and the worker cancels the context with that
//     cause;
//   - ErrEmptyPosition, ErrReturned, or the cause of ctx if ctx had ended: p is not stored;
//   - the error of CheckpointHooks.Before, which can veto a commit: p is not stored;
//   - any other error of the store: p may be stored or not. A later commit settles it.
//
// The store has until the commit timeout, or until the lease expires as it stood when the
// commit began. Do not call Commit from a commit hook: it would wait for itself.
func (s *Shard) Commit(ctx context.Context, p Position) error {
	if p == "" {
		return fmt.Errorf("commit of shard %s: %w", s.id, ErrEmptyPosition)
	}
	select {
	case s.slot <- struct{}{}: // even if ctx has ended: the host may know a better reason
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

// Logger returns the worker's logger with the shard and its epoch as fields. Each call makes
// a new one, so keep it. Mark lines that many shards may write at once with Fold.
func (s *Shard) Logger() *zap.Logger { return s.host.Logger() }

// Fold marks a line of Shard.Logger that many shards may write at once. Of the marked lines
// with one level and message, the worker writes the first five in each 10 s, and then one
// line that counts the others and names their shards. A marked line does not wait for the
// log's sink. The field itself is not written.
func Fold() zap.Field { return zap.Field{Key: "rollcall.fold", Type: zapcore.SkipType} }
