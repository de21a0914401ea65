package processor

import (
	"context"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

// Host is what a Shard needs from the program that calls Process. The coordinator implements
// it for workers, and package processortest implements it for unit tests. You need neither
// Host nor NewShard to write a Processor.
type Host interface {
	// Lease implements Shard.Lease. The ID and the Epoch never change.
	Lease() shardset.Lease
	// Resume implements Shard.Resume.
	Resume() (Position, bool)
	// Context returns a context that ends when Process must return. Its end closes the
	// channel of Shard.Revoked, and its cause is the result of Shard.Cause.
	Context() context.Context
	// Check implements Shard.Check until Process has returned.
	Check() error
	// Commit implements Shard.Commit. p is never empty, and calls do not overlap.
	Commit(ctx context.Context, p Position) error
	// ListCheckpoints implements Shard.ListCheckpoints.
	ListCheckpoints(ctx context.Context) ([]Checkpoint, error)
	// Begin implements Shard.Begin. The Shard does not call it after settle.
	Begin(ctx context.Context, what string) Activity
	// ReportProgress, ReportPoison and ReportGap implement the methods of Shard. The Shard
	// does not call them after settle.
	ReportProgress(p Progress)
	ReportPoison(p Poison)
	ReportGap(g Gap)
	// Logger implements Shard.Logger.
	Logger() *zap.Logger
}

// NewShard returns the Shard for one call of Process. The host must call settle after Process
// has returned. settle waits for the commit and the reports that are in flight. Afterwards the
// Shard refuses commits and ignores reports.
func NewShard(h Host) (s *Shard, settle func()) {
	s = &Shard{host: h, id: h.Lease().ID, slot: make(chan struct{}, 1)}
	return s, s.settle
}

// settle makes later commits fail and later reports do nothing. It must return before the
// worker releases the shard: otherwise a commit could still change the next owner's position.
func (s *Shard) settle() {
	s.slot <- struct{}{}
	s.mu.Lock()
	s.returned.Store(true)
	s.mu.Unlock()
	<-s.slot
	s.calls.Wait()
}

// enter begins a call of the host that settle waits for. It returns false if Process has
// returned. If it returns true, the caller must call s.calls.Done after the call.
func (s *Shard) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.returned.Load() {
		return false
	}
	s.calls.Add(1)
	return true
}
