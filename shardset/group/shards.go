package group

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// removedShard remembers a shard that was taken out of the list, in case it comes back:
// its epochs go on rising, its end stays its end, and as long as its holder has not
// let go of it, nobody else gets it.
type removedShard struct {
	epoch   uint64
	granted uint64
	holder  *member
	closed  bool
}

// SetShards replaces the list of shards. Known ones keep their state; ones that are
// gone disappear from their owner's answers, and if they come back before the owner
// has let go of them they are still its own. The list is taken whole or not at all:
// an error names every bad ID, duplicate and cycle in it.
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

// removeShard remembers a shard that is taken out of the list.
func (g *Group) removeShard(s *shard) {
	g.touch()
	if s.state == StateClosed && g.removed[s.id].holder != nil {
		return // Close has remembered it
	}
	g.removed[s.id] = removedShard{epoch: s.epoch, granted: s.granted, holder: s.owner, closed: s.state == StateClosed}
	if s.owner != nil {
		s.owner.removed++
	}
}

// restoreShard is the state of a shard that is put in, for the first time or again.
func (g *Group) restoreShard(id shardset.ID) shard {
	r := g.removed[id]
	s := shard{id: id, epoch: r.epoch, granted: r.granted, state: StateFree}
	switch {
	case r.closed:
		s.state = StateClosed
		if r.holder != nil {
			return s // it is remembered until its holder has released it
		}
	case r.holder != nil:
		r.holder.removed--
		s.owner, s.last, s.state = r.holder, r.holder, StateHeld
	}
	delete(g.removed, id)
	return s
}

// Close is the event of a shard being closed by whoever keeps the group: nothing more will
// come of it, whether its owner has reported that or not. Its children need not wait for it
// any more. Its owner's answers omit it; while the owner still reports it, Reopen gives it
// back to the same owner, so that it is never run twice. An unknown shard is left alone.
func (g *Group) Close(now time.Time, id shardset.ID) {
	g.begin(now)
	defer g.end(now)
	i, ok := g.index[id]
	if !ok || g.shards[i].state == StateClosed {
		return
	}
	s := &g.shards[i]
	g.touch()
	if holder := s.owner; holder != nil {
		g.removed[id] = removedShard{epoch: s.epoch, granted: s.granted, holder: holder, closed: true}
		holder.removed++
	}
	g.closeShard(i)
}

// closeShard makes a shard closed, and takes it from its owner.
func (g *Group) closeShard(i int32) {
	if g.shards[i].owner != nil {
		g.free(i)
	}
	g.shards[i].state = StateClosed
	g.completeShards++
	g.dirty = true
}

// Reopen makes a closed shard consumable again, when its checkpoint was moved off its end.
// Others are left alone.
func (g *Group) Reopen(now time.Time, id shardset.ID) {
	g.begin(now)
	defer g.end(now)
	i, ok := g.index[id]
	if !ok || g.shards[i].state != StateClosed {
		return
	}
	s := &g.shards[i]
	g.touch()
	s.state = StateFree
	g.completeShards--
	g.dirty = true
	if r := g.removed[id]; r.holder != nil {
		delete(g.removed, id)
		r.holder.removed--
		s.epoch = r.epoch
		g.own(i, r.holder)
		s.granted = r.granted
	}
}

// SetOrdered makes the group an ordered one, or one that is not. Shards that have an owner
// keep it: only those that are free begin to wait for their ancestors.
func (g *Group) SetOrdered(now time.Time, ordered bool) {
	g.begin(now)
	if ordered != g.cfg.Ordered {
		g.cfg.Ordered = ordered
		g.dirty = true
		g.changes++
	}
	g.end(now)
}

// releaseRemoved forgets that m holds retired shards, those that gone says.
func (g *Group) releaseRemoved(m *member, gone func(shardset.ID, removedShard) bool) {
	if m.removed == 0 {
		return
	}
	for id, r := range g.removed {
		if r.holder == m && gone(id, r) {
			r.holder = nil
			g.removed[id] = r
			if _, listed := g.index[id]; listed { // Close has remembered it
				delete(g.removed, id)
			}
			m.removed--
			g.changes++
		}
	}
}

// raiseRemoved gives a new epoch to each retired shard that m holds. A new instance of m
// reports it, and if the shard is put back it must not run under an epoch that the old
// instance has.
func (g *Group) raiseRemoved(m *member) {
	if m.removed == 0 {
		return
	}
	for id, r := range g.removed {
		if r.holder == m {
			g.touch()
			r.epoch, r.granted = max(r.epoch, g.cfg.FirstEpoch)+1, g.generation
			g.removed[id] = r
		}
	}
}

// recount rebuilds what the members know of their shards, after the list changed.
func (g *Group) recount() {
	for _, m := range g.sorted {
		m.owned, m.held, m.out, m.in, m.complete = m.owned[:0], 0, 0, 0, 0
	}
	g.completeShards = 0
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
		case StateClosed:
			g.completeShards++
		}
		if s.complete {
			s.owner.complete++
			g.completeShards++
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

// ownAncestors returns the shards that are their own ancestors: those on a cycle, and not
// those that only lead into one.
func ownAncestors(parents map[shardset.ID][]shardset.ID) map[shardset.ID]bool {
	a := ancestry{parents: parents, number: map[shardset.ID]int{}, open: map[shardset.ID]bool{}, own: map[shardset.ID]bool{}}
	for id := range parents {
		if a.number[id] == 0 {
			a.visit(id)
		}
	}
	return a.own
}

// ancestry finds cycles with Tarjan's algorithm, which visits each shard once: a walk from
// each shard on its own takes the square of that.
type ancestry struct {
	parents map[shardset.ID][]shardset.ID
	number  map[shardset.ID]int  // in the order of the visits, from one
	path    []shardset.ID        // visited, and it is not known yet which cycle they are on
	open    map[shardset.ID]bool // those of path
	own     map[shardset.ID]bool
}

// visit returns the lowest number on the path that id's ancestry leads to.
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
