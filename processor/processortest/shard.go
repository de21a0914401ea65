package processortest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// commitTimeout is the default of coordinator.Config.CommitTimeout.
const commitTimeout = 10 * time.Second

// Config describes the shard that New grants. The zero value is a shard without a checkpoint.
type Config struct {
	// Lease is the grant. A zero ID is shard 0 of the log "test", a zero Epoch is 1, and a
	// zero NotAfter is ten years from now. No heartbeat extends the lease.
	Lease shardset.Lease
	// Resume is the checkpoint of the shard: the first Run stores it. Empty: Run stores nothing.
	Resume processor.Position
	// Checkpoints is the store. Nil means a new store in memory.
	Checkpoints processor.Checkpoints
	// Logger is the base of processor.Shard.Logger. Nil means no log.
	Logger *zap.Logger
}

// Shard controls one shard in place of the worker and the group. Its methods call the Processor,
// revoke the shard, and end its lease. They are safe for concurrent use, but only one Run may
// be in progress.
type Shard struct {
	cfg Config

	ctx     context.Context // ends when the shard must not be touched
	cancel  context.CancelCauseFunc
	revoked context.Context // ends when Process must return, and not later than ctx
	revoke  context.CancelCauseFunc
	owned   context.Context // ends when the member no longer owns the shard
	lose    context.CancelCauseFunc

	mu      sync.Mutex // guards the fields below
	expired bool
	status  Status
}

// Status is what a Processor has done with its shard so far, in all calls of Run.
type Status struct {
	// Commits has the positions that Process has committed, in order.
	Commits []processor.Position
	// Progress is the last report of the last call of Process. Status computes the Lag: see
	// processor.Progress.LagSince.
	Progress processor.Progress
	// Poison and Gaps have what Process has reported, in order.
	Poison []processor.Poison
	Gaps   []processor.Gap
}

// New grants a shard to the test. The test need not clean up anything.
func New(cfg Config) *Shard {
	if cfg.Lease.ID == (shardset.ID{}) {
		cfg.Lease.ID = shardset.ID{Log: "test"}
	}
	if cfg.Lease.Epoch == 0 {
		cfg.Lease.Epoch = 1
	}
	if cfg.Lease.NotAfter.IsZero() {
		cfg.Lease.NotAfter = time.Now().AddDate(10, 0, 0)
	}
	if cfg.Checkpoints == nil {
		cfg.Checkpoints = processor.NewMemoryCheckpoints()
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	s := &Shard{cfg: cfg}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.revoked, s.revoke = context.WithCancelCause(context.Background())
	s.owned, s.lose = context.WithCancelCause(context.Background())
	return s
}

// Revoke asks Process to finish. The channel of processor.Shard.Revoked closes, and the context
// stays alive. cause is processor.ErrRevoked or processor.ErrShutdown. A later cause does not
// replace the first one.
//
// Call Revoke when Process is running. If the shard is already revoked, Run returns the cause
// and does not call Process.
func (s *Shard) Revoke(cause error) { s.revoke(cause) }

// Cancel cancels the context of Process. The cause says what the test simulates:
//   - processor.ErrRevoked or processor.ErrShutdown: the drain timeout has passed. Commits
//     succeed until Process returns.
//   - processor.ErrLeaseLost or processor.ErrNotOwner: the shard is lost. Commits fail with this
//     cause.
//
// The context keeps the cause of the first Cancel. processor.Shard.Cause keeps the first cause
// of either Revoke or Cancel.
func (s *Shard) Cancel(cause error) {
	if errors.Is(cause, processor.ErrLeaseLost) || errors.Is(cause, processor.ErrNotOwner) {
		s.lose(cause)
	}
	s.revoke(cause) // before ctx ends: Process must then see the channel of Revoked closed
	s.cancel(cause)
}

// Expire makes the lease expire, but does not cancel the context. This simulates a process that
// was frozen until after its lease expired. The next Check or Commit of Process detects the loss
// and cancels the context with the cause processor.ErrLeaseLost. Without Expire, the lease expires
// at Config.Lease.NotAfter.
func (s *Shard) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expired = true
}

// valid reports whether the lease is valid at now.
func (s *Shard) valid(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.expired && s.cfg.Lease.Valid(now)
}

// Status returns a snapshot of what has happened so far.
func (s *Shard) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Commits, st.Poison, st.Gaps = slices.Clone(st.Commits), slices.Clone(st.Poison), slices.Clone(st.Gaps)
	if p := &st.Progress; !p.LagSince.IsZero() && p.Lag >= 0 {
		p.Lag += max(0, time.Since(p.LagSince))
	}
	return st
}

// update changes the status with f.
func (s *Shard) update(f func(st *Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.status)
}

func (s *Shard) owner() processor.Owner {
	return processor.Owner{Member: "test", Instance: 1, Lease: s.cfg.Lease, Epochs: true}
}
