package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// SetOrdered sets whether shards wait for their ancestors. A shard that has an owner keeps it; only
// free shards begin to wait.
func (g *Group) SetOrdered(now time.Time, ordered bool) {
	g.begin(now)
	if ordered != g.cfg.Ordered {
		g.cfg.Ordered = ordered
		g.dirty = true
		g.changes++
	}
	g.end(now)
}

// orderShards makes free shards wait for their ancestors, and frees those that need not wait.
func (g *Group) orderShards() {
	blocked := make(map[int32]bool)
	for i := range g.shards {
		s := &g.shards[i]
		// A waiting shard may have no parents now, because they have left the list.
		if s.state != StateWait && (s.state != StateFree || len(s.parents) == 0) {
			continue
		}
		to := StateFree
		if g.cfg.Ordered && g.blocked(int32(i), blocked) {
			to = StateWait
		}
		if s.state != to {
			g.raiseGeneration()
			s.state = to
		}
	}
}

// blocked reports whether an ancestor of shard i is not closed. memo holds earlier results. The
// ancestry has no cycles.
func (g *Group) blocked(i int32, memo map[int32]bool) bool {
	if b, ok := memo[i]; ok {
		return b
	}
	b := false
	for _, p := range g.shards[i].parents {
		if g.shards[p].state != StateClosed || g.blocked(p, memo) {
			b = true
			break
		}
	}
	memo[i] = b
	return b
}

// ownAncestors returns the shards that are on a cycle, which are their own ancestors. It omits shards
// that only have such an ancestor.
func ownAncestors(parents map[shardset.ID][]shardset.ID) map[shardset.ID]bool {
	a := ancestry{parents: parents, number: map[shardset.ID]int{}, open: map[shardset.ID]bool{}, own: map[shardset.ID]bool{}}
	for id := range parents {
		if a.number[id] == 0 {
			a.visit(id)
		}
	}
	return a.own
}

// ancestry finds cycles with Tarjan's algorithm, which visits each shard once. A walk from each
// shard would take quadratic time.
type ancestry struct {
	parents map[shardset.ID][]shardset.ID
	number  map[shardset.ID]int  // of each visit, from one
	path    []shardset.ID        // visited shards whose cycle is not known yet
	open    map[shardset.ID]bool // those of path
	own     map[shardset.ID]bool
}

// visit returns the lowest number on the path that the ancestry of id reaches.
func (a *ancestry) visit(id shardset.ID) (lowest int) {
	number, depth := len(a.number)+1, len(a.path)
	a.number[id] = number
	a.path = append(a.path, id)
	a.open[id] = true
	lowest = number
	for _, p := range a.parents[id] {
		switch {
		case p == id:
			a.own[id] = true
		case a.number[p] == 0 && len(a.parents[p]) > 0:
			lowest = min(lowest, a.visit(p))
		case a.open[p]:
			lowest = min(lowest, a.number[p])
		}
	}
	if lowest < number {
		return lowest
	}
	for _, member := range a.path[depth:] { // one cycle, or id alone
		delete(a.open, member)
		if len(a.path)-depth > 1 {
			a.own[member] = true
		}
	}
	a.path = a.path[:depth]
	return lowest
}
