package group

import (
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// own gives shard i, which has no owner, to m under the epoch that it has.
func (g *Group) own(i int32, m *member) {
	g.touch()
	s := &g.shards[i]
	s.owner, s.last, s.next, s.state, s.granted = m, m, nil, StateHeld, g.generation
	m.owned = append(m.owned, i)
	m.untidy = true
	m.held++
	g.changedAnswer(m)
}

// grant gives a free shard to m under a new epoch.
func (g *Group) grant(i int32, m *member) {
	g.raise(i)
	g.own(i, m)
}

// raise gives shard i an epoch that it never had, not even before a restart that FirstEpoch
// follows. The epoch of an adopted shard may be below FirstEpoch.
func (g *Group) raise(i int32) {
	g.shards[i].epoch = max(g.shards[i].epoch, g.cfg.FirstEpoch) + 1
}

// free takes shard i from its owner.
func (g *Group) free(i int32) {
	g.touch()
	s := &g.shards[i]
	g.setComplete(i, false)
	s.last = s.owner
	switch s.state {
	case StateHeld:
		s.owner.held--
	case StateTransfer:
		s.owner.out--
		if s.next != nil {
			s.next.in--
			s.last = s.next
		}
	}
	s.owner.untidy = true
	g.changedAnswer(s.owner)
	s.owner, s.next, s.state = nil, nil, StateFree
	g.dirty = true
}

// promise revokes shard i from its owner in favour of next.
func (g *Group) promise(i int32, next *member) {
	g.touch()
	s := &g.shards[i]
	s.owner.held--
	s.owner.out++
	next.in++
	s.state, s.next, s.revoked = StateTransfer, next, g.generation
	g.changedAnswer(s.owner)
}

// keep ends a transfer in favour of the owner, which may be draining the shard already. The epoch
// stays, because a new one would refuse the owner's last commit. The generation of the grant
// stays, too: an owner that omits the shard before it learns of this has drained it, and must
// receive it anew, under a new epoch.
func (g *Group) keep(i int32) {
	g.touch()
	s := &g.shards[i]
	s.owner.out--
	s.owner.held++
	s.state, s.next = StateHeld, nil
	g.changedAnswer(s.owner)
}

// handOver gives a shard in transfer to its next member.
func (g *Group) handOver(i int32) {
	next := g.shards[i].next
	g.free(i)
	if next != nil && next.weight > 0 { // else next is leaving, and rebalance finds another
		g.grant(i, next)
	}
}

// owned returns the shards that m owns, sorted. The slice is m's own. Shards may be freed while
// the caller walks it.
func (g *Group) owned(m *member) []int32 {
	if m.untidy {
		m.untidy = false
		m.owned = slices.DeleteFunc(m.owned, func(i int32) bool { return g.shards[i].owner != m })
		slices.Sort(m.owned)
		m.owned = slices.Compact(m.owned)
	}
	return m.owned
}

// grants returns the grants of m's answer. The slice is never written to again, so it can be
// handed out.
func (g *Group) grants(m *member) []shardset.Grant {
	if !m.stale {
		return m.grants
	}
	m.stale = false
	m.grants = make([]shardset.Grant, 0, m.held)
	for _, i := range g.owned(m) {
		if s := &g.shards[i]; s.state == StateHeld {
			m.grants = append(m.grants, shardset.Grant{ID: s.id, Epoch: s.epoch})
		}
	}
	return m.grants
}
