package group

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// removedShard remembers a shard that has left the list. If the shard comes back, its epochs continue
// to rise, it is closed if it was closed, and no other member receives it before its holder has
// released it.
type removedShard struct {
	epoch   uint64
	granted uint64
	holder  *member
	closed  bool
}

// removeShard remembers a shard that is no longer in the list.
func (g *Group) removeShard(s *shard) {
	g.raiseGeneration()
	if s.state == StateClosed && g.removed[s.id].holder != nil {
		return // Close has remembered it
	}
	g.removed[s.id] = removedShard{epoch: s.epoch, granted: s.granted, holder: s.owner, closed: s.state == StateClosed}
	if s.owner != nil {
		s.owner.removed++
	}
}

// restoreShard returns a shard that is new in the list, or that comes back.
func (g *Group) restoreShard(id shardset.ID) shard {
	r := g.removed[id]
	s := shard{id: id, epoch: r.epoch, granted: r.granted, state: StateFree}
	switch {
	case r.closed:
		s.state = StateClosed
		if r.holder != nil {
			return s // it stays in removed until its holder has released it
		}
	case r.holder != nil:
		r.holder.removed--
		s.owner, s.last, s.state = r.holder, r.holder, StateHeld
		if r.holder.former { // its shards are in transfer, even while there is no other member
			s.state, s.revoked = StateTransfer, r.granted
		}
	}
	delete(g.removed, id)
	return s
}

// releaseRemoved notes that m has released the removed shards for which gone returns true.
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

// raiseRemoved gives a new epoch to each removed shard that m holds, for a new instance of m. If
// the shard comes back, it must not run under an epoch that the old instance had.
func (g *Group) raiseRemoved(m *member) {
	if m.removed == 0 {
		return
	}
	for id, r := range g.removed {
		if r.holder == m {
			g.raiseGeneration()
			r.epoch, r.granted = max(r.epoch, g.cfg.FirstEpoch)+1, g.generation
			g.removed[id] = r
		}
	}
}

// maxRemoved bounds the number of removed shards without a holder. If there are more, the group forgets
// some.
const maxRemoved = 1 << 12

// forgetRemoved forgets the oldest removed shards if there are too many. It makes all later epochs higher
// than theirs, so the epochs of a shard that comes back continue to rise. A forgotten closed shard
// comes back as free, and its next owner finds in the checkpoint that it is closed. So closed shards
// are forgotten last.
func (g *Group) forgetRemoved() {
	if len(g.removed) <= maxRemoved {
		return
	}
	ids := make([]shardset.ID, 0, len(g.removed))
	for id, r := range g.removed {
		if r.holder == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) <= maxRemoved {
		return
	}
	slices.SortFunc(ids, func(a, b shardset.ID) int {
		x, y := g.removed[a], g.removed[b]
		switch {
		case x.closed != y.closed && y.closed:
			return -1
		case x.closed != y.closed:
			return 1
		}
		return cmp.Or(cmp.Compare(x.granted, y.granted), cmp.Compare(x.epoch, y.epoch), a.Compare(b))
	})
	for _, id := range ids[:len(ids)-maxRemoved/2] { // keep half of maxRemoved, so that this sort is rare
		g.RaiseEpochs(g.removed[id].epoch)
		delete(g.removed, id)
	}
	g.changes++
}
