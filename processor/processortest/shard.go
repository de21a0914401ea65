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

// Config is what a test grants. The zero value is a shard of which nothing was ever
// committed.
type Config struct {
	// Lease is the grant. A zero ID is shard 0 of the log "test", a zero Epoch is 1, and a
	// zero NotAfter is ten years from now. No heartbeat extends the lease.
	Lease shardset.Lease
	// Resume is stored as the shard's position when Run is first called. Empty: Checkpoints
	// stay as they are.
	Resume processor.Position
	// Checkpoints is the store. Nil means a new store in memory.
	Checkpoints processor.Checkpoints
	// Logger is what processor.Shard.Logger derives from. Nil means silence.
	Logger *zap.Logger
}

// Shard is the test's side of one shard: it calls the Processor, and takes the shard away. Its
// methods may be called from any goroutine, but only one Run at a time.
type Shard struct {
	cfg Config

	ctx    context.Context // ends when the shard must not be touched
	cancel context.CancelCauseFunc
	soft   context.Context // ends when the shard has to go, and not later than ctx
	revoke context.CancelCauseFunc
	owned  context.Context // ends when the member does not own the shard any more
	lose   context.CancelCauseFunc

	mu      sync.Mutex // guards the fields below
	expired bool
	status  Status
}

// Status is what a Processor has done with its shard so far, in all calls of Run.
type Status struct {
	// Commits are the positions that Process has committed, in order.
	Commits []processor.Position
	// Progress is the last report of the last call of Process. Its Lag is of now.
	Progress processor.Progress
	// Poison and Gaps are the reports, in order.
	Poison []processor.Poison
	Gaps   []processor.Gap
}

// New grants a shard.
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
	s.soft, s.revoke = context.WithCancelCause(context.Background())
	s.owned, s.lose = context.WithCancelCause(context.Background())
	return s
}

// Revoke asks Process to finish: processor.Shard.Revoked closes, and the context stays
// alive. The cause is processor.ErrRevoked or processor.ErrShutdown; the first one stays.
// Wait until Process works, with synctest.Wait for instance: Run does not call Process for
// a shard that was revoked before.
func (s *Shard) Revoke(cause error) { s.revoke(cause) }

// Cancel ends the context of Process. With the cause of Revoke it is the end of the drain
// timeout: the Shard accepts commits until Process returns. With processor.ErrLeaseLost or
// processor.ErrNotOwner the shard is lost: the Shard refuses commits. The first cause stays
// the cause of the context.
func (s *Shard) Cancel(cause error) {
	if errors.Is(cause, processor.ErrLeaseLost) || errors.Is(cause, processor.ErrNotOwner) {
		s.lose(cause)
	}
	s.revoke(cause) // first, so that the end of ctx is never seen without its reason
	s.cancel(cause)
}

// Expire ends the lease and cancels nothing: a process that was frozen past the end of its
// lease wakes like this. The next Check or Commit of Process finds it, and cancels the context
// with the cause processor.ErrLeaseLost. The lease expires in the same way at
// Config.Lease.NotAfter.
func (s *Shard) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expired = true
}

// valid reports whether the lease has not expired.
func (s *Shard) valid(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.expired && s.cfg.Lease.Valid(now)
}

// Status returns what has happened so far.
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

func (s *Shard) note(f func(st *Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.status)
}

func (s *Shard) owner() processor.Owner {
	return processor.Owner{Member: "test", Instance: 1, Lease: s.cfg.Lease, Epochs: true}
}
