package group

import (
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// own makes m the owner of shard i, which has no owner. The epoch stays.
func (g *Group) own(i int32, m *member) {
	g.raiseGeneration()
	s := &g.shards[i]
	s.owner, s.last, s.next, s.state, s.granted = m, m, nil, StateHeld, g.generation
	m.owned = append(m.owned, i)
	m.ownedStale = true
	m.held++
	g.changedAnswer(m)
}

// grant gives a free shard to m under a new epoch.
func (g *Group) grant(i int32, m *member) {
	g.raiseEpoch(i)
	g.own(i, m)
}

// raiseEpoch gives shard i an epoch that it never had before. FirstEpoch is above all epochs from
// before a restart, so the new epoch must be above FirstEpoch, too: the epoch of an adopted shard may
// be below it.
func (g *Group) raiseEpoch(i int32) {
	g.shards[i].epoch = max(g.shards[i].epoch, g.cfg.FirstEpoch) + 1
}

// free takes shard i from its owner.
func (g *Group) free(i int32) {
	g.raiseGeneration()
	s := &g.shards[i]
	g.setComplete(i, false)
	s.last = s.owner
	switch s.state {
	case StateHeld:
		s.owner.held--
	case StateTransfer:
		s.owner.outgoing--
		if s.next != nil {
			s.next.incoming--
			s.last = s.next
		}
	}
	s.owner.ownedStale = true
	g.changedAnswer(s.owner)
	s.owner, s.next, s.state = nil, nil, StateFree
	g.dirty = true
}

// promise revokes shard i from its owner in favour of next.
func (g *Group) promise(i int32, next *member) {
	g.raiseGeneration()
	s := &g.shards[i]
	s.owner.held--
	s.owner.outgoing++
	next.incoming++
	s.state, s.next, s.revoked = StateTransfer, next, g.generation
	g.changedAnswer(s.owner)
}

// endTransfer lets the owner keep a shard in transfer. The owner may be draining the shard already, so
// the epoch stays: with a new one, Fence would refuse the owner's last commit. The generation of the
// grant stays, too: an owner that omits the shard before it has seen the next answer has drained the
// shard, and must receive it again under a new epoch.
func (g *Group) endTransfer(i int32) {
	g.raiseGeneration()
	s := &g.shards[i]
	s.owner.outgoing--
	s.owner.held++
	s.state, s.next = StateHeld, nil
	g.changedAnswer(s.owner)
}

// handOver gives a shard in transfer to its next member.
func (g *Group) handOver(i int32) {
	next := g.shards[i].next
	g.free(i)
	if next != nil && next.weight > 0 { // otherwise next is leaving, and rebalance finds another member
		g.grant(i, next)
	}
}

// owned returns the indexes of the shards that m owns, sorted. The slice belongs to m. The caller may free
// shards while it ranges over the slice.
func (g *Group) owned(m *member) []int32 {
	if m.ownedStale {
		m.ownedStale = false
		m.owned = slices.DeleteFunc(m.owned, func(i int32) bool { return g.shards[i].owner != m })
		slices.Sort(m.owned)
		m.owned = slices.Compact(m.owned)
	}
	return m.owned
}

// grants returns the grants for m's answer. The group never writes to the slice again, so answers may
// share it.
func (g *Group) grants(m *member) []shardset.Grant {
	if !m.grantsStale {
		return m.grants
	}
	m.grantsStale = false
	m.grants = make([]shardset.Grant, 0, m.held)
	for _, i := range g.owned(m) {
		if s := &g.shards[i]; s.state == StateHeld {
			m.grants = append(m.grants, shardset.Grant{ID: s.id, Epoch: s.epoch})
		}
	}
	return m.grants
}
