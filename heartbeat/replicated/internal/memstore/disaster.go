package memstore

import (
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Snapshot is the state of a Store at one time.
type Snapshot struct {
	revision uint64
	history  map[replicated.Key][]version
}

// Snapshot returns the store's state, for Rollback.
func (m *Store) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Snapshot{revision: m.revision, history: clone(m.history)}
}

func clone(h map[replicated.Key][]version) map[replicated.Key][]version {
	c := maps.Clone(h)
	for k, v := range c {
		c[k] = slices.Clone(v)
	}
	return c
}

// Rollback takes the store back to an earlier state, as after a power cut that lost
// what was acknowledged: versions made since then are gone, and their revisions will be
// given again to others. All watches break.
func (m *Store) Rollback(s Snapshot) {
	m.disaster(func() { m.revision, m.history = s.revision, clone(s.history) })
}

// Skip makes the store leave out the next n revisions: after Rollback, so that no
// revision is given again.
func (m *Store) Skip(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision += n
}

// Wipe loses all values of a kind, as when all nodes that had it in memory were
// restarted. Nobody is told; all watches break.
func (m *Store) Wipe(kind replicated.Kind) {
	m.disaster(func() {
		maps.DeleteFunc(m.history, func(k replicated.Key, _ []version) bool { return k.Kind == kind })
	})
}

// SetDown stops the store or starts it. All calls to a stopped one fail with ErrDown
// where they reach it, and its watches break.
func (m *Store) SetDown(down bool) {
	m.disaster(func() { m.down = down })
}

// SetCompact makes watches leave out versions that were overwritten before they were
// told, as far as they can.
func (m *Store) SetCompact(compact bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compact = compact
}

// Links returns all links that were dialled, the oldest first.
func (m *Store) Links() []*Link {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.links)
}

// disaster makes a change that no watch outlives.
func (m *Store) disaster(change func()) {
	m.mu.Lock()
	change()
	why := ErrBroken
	if m.down {
		why = ErrDown
	}
	broken := slices.Collect(maps.Keys(m.watches))
	for _, w := range broken {
		w.broken = why
	}
	m.mu.Unlock()
	for _, w := range broken {
		w.signal()
	}
}

// chance reports true with probability p.
func (m *Store) chance(p float64) bool {
	if p <= 0 {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rand.Float64() < p
}

// between returns a duration from least to most.
func (m *Store) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return least + time.Duration(m.rand.Int64N(int64(most-least)+1))
}
