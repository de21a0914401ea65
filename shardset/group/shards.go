package group

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// retiree remembers a shard that was taken out of the list, in case it comes back:
// its epochs go on rising, its end stays its end, and as long as its holder has not
// let go of it, nobody else gets it.
type retiree struct {
	epoch   uint64
	granted uint64
	holder  *member
	over    bool
}

// SetShards replaces the list of shards. Known ones keep their state; ones that are
// gone disappear from their owner's answers, and if they come back before the owner
// has let go of them they are still its own. The list is taken whole or not at all:
// an error names every bad ID, duplicate and cycle in it.
func (g *Group) SetShards(now time.Time, list []Shard) error {
	byID := func(a, b Shard) int { return a.ID.Compare(b.ID) }
	if !slices.IsSortedFunc(list, byID) {
		list = slices.Clone(list)
		slices.SortStableFunc(list, byID)
	}
	if err := checkShards(list); err != nil {
		return err
	}
	g.begin(now)

	old, oldIndex := g.shards, g.index
	g.shards = make([]shard, len(list))
	g.index = make(map[shardset.ID]int32, len(list))
	for i, s := range list {
		g.index[s.ID] = int32(i)
	}
	for i, s := range list {
		if j, ok := oldIndex[s.ID]; ok {
			g.shards[i] = old[j]
		} else {
			g.shards[i] = g.comeBack(s.ID)
		}
		g.shards[i].parents = g.shards[i].parents[:0:0]
		for _, p := range s.Parents {
			if j, ok := g.index[p]; ok {
				g.shards[i].parents = append(g.shards[i].parents, j)
			}
		}
	}
	for i := range old {
		if _, ok := g.index[old[i].id]; !ok {
			g.retire(&old[i])
		}
	}
	g.recount()
	g.dirty, g.revised = true, true
	g.end(now)
	return nil
}

// retire remembers a shard that is taken out.
func (g *Group) retire(s *shard) {
	g.touch()
	g.retired[s.id] = retiree{epoch: s.epoch, granted: s.granted, holder: s.owner, over: s.state == StateOver}
	if s.owner != nil {
		s.owner.retired++
	}
}

// comeBack is the state of a shard that is put in, for the first time or again.
func (g *Group) comeBack(id shardset.ID) shard {
	r := g.retired[id]
	delete(g.retired, id)
	s := shard{id: id, epoch: r.epoch, granted: r.granted, state: StateFree}
	switch {
	case r.over:
		s.state = StateOver
	case r.holder != nil:
		r.holder.retired--
		s.owner, s.last, s.state = r.holder, r.holder, StateHeld
	}
	return s
}

// letGo forgets that m holds retired shards, those that gone says.
func (g *Group) letGo(m *member, gone func(shardset.ID, retiree) bool) {
	if m.retired == 0 {
		return
	}
	for id, r := range g.retired {
		if r.holder == m && gone(id, r) {
			r.holder = nil
			g.retired[id] = r
			m.retired--
			g.revised = true
		}
	}
}

// recount rebuilds what the members know of their shards, after the list changed.
func (g *Group) recount() {
	for _, m := range g.sorted {
		m.owned, m.held, m.out, m.in, m.done = m.owned[:0], 0, 0, 0, 0
	}
	g.complete = 0
	for i := range g.shards {
		s := &g.shards[i]
		switch s.state {
		case StateHeld:
			s.owner.held++
			s.owner.owned = append(s.owner.owned, int32(i))
		case StateTransfer:
			s.owner.out++
			s.owner.owned = append(s.owner.owned, int32(i))
			if s.next != nil {
				s.next.in++
			}
		case StateOver:
			g.complete++
		}
		if s.done {
			s.owner.done++
			g.complete++
		}
	}
	for _, m := range g.sorted {
		m.untidy = false
		before, known := m.grants, !m.stale
		m.stale = true
		if !known || !slices.Equal(before, g.grants(m)) {
			g.changedAnswer(m)
		}
	}
}

// checkShards says everything that is wrong with a sorted list.
func checkShards(list []Shard) error {
	var faults []error
	parents := map[shardset.ID][]shardset.ID{}
	for i, s := range list {
		if err := s.ID.Validate(); err != nil {
			faults = append(faults, err)
		}
		if i > 0 && list[i-1].ID == s.ID {
			faults = append(faults, fmt.Errorf("shard %s is listed twice", s.ID))
		}
		if len(s.Parents) > 0 {
			parents[s.ID] = s.Parents
		}
	}
	walk := ancestry{parents: parents, seen: map[shardset.ID]int{}}
	for _, s := range list {
		if walk.cyclic(s.ID) && reaches(s.ID, parents) {
			faults = append(faults, fmt.Errorf("shard %s is its own ancestor", s.ID))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("group: bad list of shards: %w", errors.Join(faults...))
}

// ancestry looks for cycles in the parents of a whole list, each shard once.
type ancestry struct {
	parents map[shardset.ID][]shardset.ID
	seen    map[shardset.ID]int // 1: on the way, 2: without a cycle, 3: leads into one
}

// cyclic reports whether id's ancestry leads into a cycle.
func (a *ancestry) cyclic(id shardset.ID) bool {
	const onTheWay, fine, bad = 1, 2, 3
	if len(a.parents[id]) == 0 {
		return false
	}
	if known := a.seen[id]; known != 0 {
		return known != fine
	}
	a.seen[id] = onTheWay
	for _, p := range a.parents[id] {
		if a.cyclic(p) {
			a.seen[id] = bad
			return true
		}
	}
	a.seen[id] = fine
	return false
}

// reaches reports whether id is among its own ancestors, and not only a descendant of
// one that is. It walks the whole ancestry, so it is asked only where there is a cycle.
func reaches(id shardset.ID, parents map[shardset.ID][]shardset.ID) bool {
	seen := map[shardset.ID]bool{}
	todo := slices.Clone(parents[id])
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p == id {
			return true
		}
		if !seen[p] {
			seen[p] = true
			todo = append(todo, parents[p]...)
		}
	}
	return false
}
