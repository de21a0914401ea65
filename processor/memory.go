package processor

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// MemoryCheckpoints stores positions in memory, for tests and for work that each process does from
// the beginning. It refuses the saves of earlier owners, and is safe for concurrent use. The
// zero value does not work: use NewMemoryCheckpoints.
type MemoryCheckpoints struct {
	mu     sync.Mutex
	shards map[shardset.ID]*memoryShard
}

type memoryShard struct {
	claim    claim
	position Position
	updated  time.Time
}

// NewMemoryCheckpoints returns an empty store.
func NewMemoryCheckpoints() *MemoryCheckpoints {
	return &MemoryCheckpoints{shards: map[shardset.ID]*memoryShard{}}
}

// Load returns the shard's position and claims the shard for o. The error matches
// ErrNotOwner if the shard was claimed under a later epoch.
func (m *MemoryCheckpoints) Load(_ context.Context, o Owner) (Position, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shards[o.Lease.ID]
	if s == nil {
		s = &memoryShard{}
		m.shards[o.Lease.ID] = s
	}
	if err := s.claim.take(o); err != nil {
		return "", false, err
	}
	return s.position, s.position != "", nil
}

// Save stores the position if o has the newest claim. Otherwise the error matches
// ErrNotOwner.
func (m *MemoryCheckpoints) Save(_ context.Context, o Owner, p Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shards[o.Lease.ID]
	if s == nil {
		s = &memoryShard{} // never claimed, so check returns an error
	}
	if err := s.claim.check(o); err != nil {
		return err
	}
	s.position, s.updated = p, time.Now()
	return nil
}

// ListCheckpoints returns the checkpoints of a log, in any order. It claims no shard.
func (m *MemoryCheckpoints) ListCheckpoints(_ context.Context, log string) ([]Checkpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Checkpoint
	for id, s := range m.shards {
		if id.Log == log && s.position != "" {
			list = append(list, Checkpoint{ID: id, Position: s.position, Updated: s.updated})
		}
	}
	return list, nil
}

// FencesCommits returns true: the store fences all members that share it.
func (m *MemoryCheckpoints) FencesCommits() bool { return true }

// Position returns the stored position of a shard. It does not claim the shard. Use it in
// tests.
func (m *MemoryCheckpoints) Position(id shardset.ID) (Position, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shards[id]
	if s == nil {
		return "", false
	}
	return s.position, s.position != ""
}
