package shardset

import "iter"

// entryTable finds entries by ID. It is a map of maps, because the runtime has a
// faster map for int keys than for keys with a string in them, and a member has few
// logs and many shards: a swap of 10,000 shards spends most of its time here.
type entryTable struct {
	logs map[string]map[int]*entry
	n    int
}

func newEntryTable() entryTable { return entryTable{logs: map[string]map[int]*entry{}} }

// get returns the entry, or nil.
func (t *entryTable) get(id ID) *entry { return t.logs[id.Log][id.Number] }

// put files an entry that is not there.
func (t *entryTable) put(e *entry) {
	m := t.logs[e.grant.ID.Log]
	if m == nil {
		m = map[int]*entry{}
		t.logs[e.grant.ID.Log] = m
	}
	m[e.grant.ID.Number] = e
	t.n++
}

// remove takes out an entry that is there.
func (t *entryTable) remove(id ID) {
	m := t.logs[id.Log]
	delete(m, id.Number)
	t.n--
	if len(m) == 0 {
		delete(t.logs, id.Log)
	}
}

// len returns the number of entries.
func (t *entryTable) len() int { return t.n }

// all walks the entries, in no order. Removing the one at hand is fine.
func (t *entryTable) all() iter.Seq2[ID, *entry] {
	return func(yield func(ID, *entry) bool) {
		for log, m := range t.logs {
			for n, e := range m {
				if !yield(ID{Log: log, Number: n}, e) {
					return
				}
			}
		}
	}
}
