package group

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// SetShards replaces the list of shards. Shards in the old and the new list keep their state. Answers
// no longer grant the removed shards. If a removed shard comes back before its owner has released it,
// the same owner gets it. If the list has bad IDs, duplicates or cycles, SetShards changes nothing, and
// its error names all of them.
func (g *Group) SetShards(now time.Time, list []shardset.Shard) error {
	byID := func(a, b shardset.Shard) int { return a.ID.Compare(b.ID) }
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
			g.shards[i] = g.restoreShard(s.ID)
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
			g.removeShard(&old[i])
		}
	}
	g.recount()
	g.dirty = true
	g.changes++
	g.end(now)
	return nil
}

// recount counts the shards of each member anew, after the list has changed.
func (g *Group) recount() {
	for _, m := range g.sorted {
		m.owned, m.held, m.outgoing, m.incoming, m.complete = m.owned[:0], 0, 0, 0, 0
	}
	g.completeShards = 0
	for i := range g.shards {
		s := &g.shards[i]
		switch s.state {
		case StateHeld:
			s.owner.held++
			s.owner.owned = append(s.owner.owned, int32(i))
		case StateTransfer:
			s.owner.outgoing++
			s.owner.owned = append(s.owner.owned, int32(i))
			if s.next != nil {
				s.next.incoming++
			}
		case StateClosed:
			g.completeShards++
		}
		if s.complete {
			s.owner.complete++
			g.completeShards++
		}
	}
	for _, m := range g.sorted {
		m.ownedStale = false
		before, known := m.grants, !m.grantsStale
		m.grantsStale = true
		if !known || !slices.Equal(before, g.grants(m)) {
			g.changedAnswer(m)
		}
	}
}

// checkShards returns every fault of a sorted list.
func checkShards(list []shardset.Shard) error {
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
	own := ownAncestors(parents)
	for _, s := range list {
		if own[s.ID] {
			faults = append(faults, fmt.Errorf("shard %s is its own ancestor", s.ID))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("group: bad list of shards: %w", errors.Join(faults...))
}
