package processor

import (
	"context"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

// Host is what a Shard calls: the program that runs the Processor. The coordinator is one;
// package processortest has another, for unit tests. You need neither Host nor NewShard to
// write a Processor.
type Host interface {
	// Lease returns the lease as it stands now. Its ID and Epoch never change.
	Lease() shardset.Lease
	// Resume is Shard.Resume.
	Resume() (Position, bool)
	// Context ends when the shard has to go. Its cause is Shard.Cause.
	Context() context.Context
	// Check is Shard.Check, while Process has not returned.
	Check() error
	// Commit stores p, which is not empty. The Shard calls it for one commit at a time.
	Commit(ctx context.Context, p Position) error
	// ListCheckpoints is Shard.ListCheckpoints.
	ListCheckpoints(ctx context.Context) ([]Checkpoint, error)
	// Begin is Shard.Begin. The Shard does not call it after settle.
	Begin(ctx context.Context, what string) Activity
	// ReportProgress, ReportPoison and ReportGap are those of the Shard. The Shard does not
	// call them after settle.
	ReportProgress(p Progress)
	ReportPoison(p Poison)
	ReportGap(g Gap)
	// Logger is Shard.Logger.
	Logger() *zap.Logger
}

// NewShard returns the Shard for one call of Process. The host calls settle when Process
// has returned. settle waits for the commit and the reports under way; the Shard refuses
// later ones.
func NewShard(h Host) (s *Shard, settle func()) {
	s = &Shard{host: h, id: h.Lease().ID, slot: make(chan struct{}, 1)}
	return s, s.settle
}

// settle refuses later commits and reports, so that everything about the shard is decided
// before the group hears that it is free.
func (s *Shard) settle() {
	s.slot <- struct{}{}
	s.mu.Lock()
	s.returned.Store(true)
	s.mu.Unlock()
	<-s.slot
	s.calls.Wait()
}

// enter begins a call of the host that settle waits for, unless Process has returned. If
// it returns true, the caller calls s.calls.Done afterwards.
func (s *Shard) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.returned.Load() {
		return false
	}
	s.calls.Add(1)
	return true
}
