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

// Rollback restores an earlier state, as a power cut does that loses acknowledged writes.
// Versions made since then are gone, and later versions get their revisions. All watches
// break.
func (m *Store) Rollback(s Snapshot) {
	m.disaster(func() { m.revision, m.history = s.revision, clone(s.history) })
}

// Skip skips the next n revisions. After Rollback, no revision is then used twice.
func (m *Store) Skip(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision += n
}

// Wipe loses all values of a kind, as a restart of all nodes does that have them in memory.
// No deletion is reported. All watches break.
func (m *Store) Wipe(kind replicated.Kind) {
	m.disaster(func() {
		maps.DeleteFunc(m.history, func(k replicated.Key, _ []version) bool { return k.Kind == kind })
	})
}

// SetDown stops or starts the store. All calls that reach a stopped store fail with
// ErrDown, and its watches break.
func (m *Store) SetDown(down bool) {
	m.disaster(func() { m.down = down })
}

// SetCompact makes watches leave out, if possible, versions that were overwritten before
// they were reported.
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

// disaster makes a change, and breaks all watches.
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
