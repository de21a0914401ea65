package shardset

import (
	"slices"
	"time"
)

// entry is one shard that this member reports as held.
type entry struct {
	grant   Grant  // as the service gave it
	epoch   uint64 // the grant's; from the clock if the service has none
	state   State
	cause   Cause     // why it stops, from StateDraining on
	removed bool      // from the table
	since   time.Time // when it took this state
	due     time.Time // StateDraining: cancel; StateCancelled: stuck; StateRestarting: start
	slot    int       // its place in Tracker.timed, plus one; zero: not there

	// In StateComplete, if the shard is closed: see scheduleRecheck.
	recheckAt time.Time     // it starts again no earlier; zero: it does not start again
	answers   uint64        // it starts again after this many accepted answers in all
	pause     time.Duration // before the last start; kept while the shard runs again
}

// entryTable is the set of entries, with the lists that a heartbeat carries. It keeps the lists,
// because they rarely change between two heartbeats. It replaces a list and never changes one in
// place, because a heartbeat in flight still uses it.
type entryTable struct {
	// byLog finds entries by ID. It is a map of maps: a member has few logs and many shards, and
	// Go's maps are faster with int keys than with keys that contain a string. A swap of 10,000
	// shards spends most of its time here.
	byLog map[string]map[int]*entry
	n     int

	order []*entry // sorted; while stale: new entries at the end, removed ones still in it
	held  []Grant  // the grants of order
	stale bool     // an entry was added or removed

	completeIDs   []ID
	completeStale bool
	completeCount int
}

func newEntryTable() entryTable { return entryTable{byLog: map[string]map[int]*entry{}} }

// len returns the number of entries.
func (t *entryTable) len() int { return t.n }

// get returns the entry, or nil.
func (t *entryTable) get(id ID) *entry { return t.byLog[id.Log][id.Number] }

// put adds an entry. The table must not have one for the shard.
func (t *entryTable) put(e *entry) {
	m := t.byLog[e.grant.ID.Log]
	if m == nil {
		m = map[int]*entry{}
		t.byLog[e.grant.ID.Log] = m
	}
	m[e.grant.ID.Number] = e
	t.n++
	t.order, t.stale = append(t.order, e), true
}

// remove removes an entry, which must be in the table.
func (t *entryTable) remove(e *entry) {
	id := e.grant.ID
	m := t.byLog[id.Log]
	delete(m, id.Number)
	if len(m) == 0 {
		delete(t.byLog, id.Log)
	}
	t.n--
	e.removed, t.stale = true, true
	if e.state == StateComplete {
		t.countComplete(-1)
	}
}

// countComplete adds n to the number of complete entries: 1 or -1.
func (t *entryTable) countComplete(n int) {
	t.completeCount += n
	t.completeStale = true
}

// sorted returns all entries, sorted by shard. The caller may remove entries while it iterates.
func (t *entryTable) sorted() []*entry {
	if t.stale {
		t.sort()
	}
	return t.order
}

func (t *entryTable) sort() {
	t.stale, t.completeStale = false, true
	t.order = slices.DeleteFunc(t.order, func(e *entry) bool { return e.removed })
	slices.SortFunc(t.order, func(a, b *entry) int { return a.grant.ID.Compare(b.grant.ID) })
	t.held = make([]Grant, len(t.order))
	for i, e := range t.order {
		t.held[i] = e.grant
	}
}

// grants returns the grants of all entries, sorted.
func (t *entryTable) grants() []Grant {
	t.sorted()
	return t.held
}

// complete returns the shards that are complete, sorted.
func (t *entryTable) complete() []ID {
	order := t.sorted()
	if !t.completeStale {
		return t.completeIDs
	}
	t.completeStale, t.completeIDs = false, nil
	if t.completeCount == 0 {
		return nil
	}
	t.completeIDs = make([]ID, 0, t.completeCount)
	for _, e := range order {
		if e.state == StateComplete {
			t.completeIDs = append(t.completeIDs, e.grant.ID)
		}
	}
	return t.completeIDs
}
