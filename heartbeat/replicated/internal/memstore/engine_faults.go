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

// Rollback restores an earlier state, like a power cut that loses acknowledged writes. The versions
// since then are lost, and later versions use their revisions again. All watches break.
func (m *Store) Rollback(s Snapshot) {
	m.breakAll(func() { m.revision, m.history = s.revision, clone(s.history) })
}

// Skip skips the next n revisions. Call it after Rollback if the store must not use any revision
// twice.
func (m *Store) Skip(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision += n
}

// Wipe deletes all values of a kind, like a restart of all nodes of an engine that has them only in
// memory. Watches do not report that; all of them break.
func (m *Store) Wipe(kind replicated.Kind) {
	m.breakAll(func() {
		maps.DeleteFunc(m.history, func(k replicated.Key, _ []version) bool { return k.Kind == kind })
	})
}

// SetDown stops the store, or starts it again. A call that reaches a stopped store fails with
// ErrDown. All watches break.
func (m *Store) SetDown(down bool) {
	m.breakAll(func() { m.down = down })
}

// SetCompact sets whether watches leave out versions that were overwritten before the watch could
// report them. By default watches report all versions.
func (m *Store) SetCompact(compact bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compact = compact
}

// Links returns all links, the oldest first.
func (m *Store) Links() []*Link {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.links)
}

// breakAll makes a change to the engine, and breaks all watches.
func (m *Store) breakAll(change func()) {
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

// chance returns true with probability p.
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
