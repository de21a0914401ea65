package group

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// join makes the sender of a heartbeat a member.
func (g *Group) join(b *shardset.Heartbeat) *member {
	m := &member{name: b.Member, instance: b.Instance, weight: max(b.Weight, 1), grantsStale: true}
	g.insert(m)
	delete(g.tombstones, b.Member)
	g.dirty = true
	g.changes++
	return m
}

// adopt lets a member keep the shards that it reports while the group recovers, except closed ones and
// those that another member holds under the same or a higher epoch. It runs at every heartbeat, not
// only at the first: a delayed heartbeat with a shorter list may have arrived first.
func (g *Group) adopt(m *member, held []shardset.Grant) {
	for _, h := range held {
		i, ok := g.index[h.ID]
		if !ok {
			g.adoptRemoved(m, h)
			continue
		}
		s := &g.shards[i]
		switch {
		case s.state == StateClosed, s.owner == m && h.Epoch <= s.epoch:
			continue
		case h.Epoch == 0 && s.owner == nil:
			g.grant(i, m) // the member's heartbeats carry no epochs
		case h.Epoch < s.epoch, h.Epoch == s.epoch && s.owner != nil:
			continue
		default:
			if s.owner != nil {
				g.free(i)
			}
			s.epoch = h.Epoch
			g.own(i, m)
		}
		// The member knows of this grant: the first heartbeat that omits the shard releases it.
		s.granted = 0
	}
}

// adoptRemoved remembers that m holds a shard that is not in the list. The shard may have left the list
// before the restart, and may come back.
func (g *Group) adoptRemoved(m *member, h shardset.Grant) {
	r := g.removed[h.ID]
	if r.holder != nil {
		if h.Epoch <= r.epoch {
			return
		}
		r.holder.removed--
	}
	m.removed++
	g.removed[h.ID] = removedShard{epoch: max(h.Epoch, r.epoch), holder: m}
}

// replace puts a new instance in the place of a member's old one. If the new instance reports shards,
// processors that ignore their cancelled contexts still run them. These shards stay with the member,
// under a new epoch, so that no other member runs them too. All others become free.
func (g *Group) replace(m *member, b *shardset.Heartbeat) {
	held := sortedGrants(b.Held)
	g.releaseRemoved(m, func(id shardset.ID, _ removedShard) bool { return !has(held, id) })
	g.raiseRemoved(m)
	for _, i := range g.owned(m) {
		s := &g.shards[i]
		if s.state == StateHeld && !has(held, s.id) {
			g.free(i)
			continue
		}
		g.raiseEpoch(i)
		g.raiseGeneration()
		s.granted = g.generation
		g.changedAnswer(m)
		if s.state == StateTransfer && !has(held, s.id) {
			g.handOver(i)
		}
	}
	m.instance, m.seq, m.seen, m.former = b.Instance, 0, 0, false
	g.dirty = true
	g.changes++
}

// Leave is the event of a member leaving the group. If the heartbeat still reports shards as held,
// processors that have not returned still run them. These shards stay with the member until its lease
// ends; all others become free at once. If the member is unknown and the heartbeat is valid, Leave
// returns nil. Otherwise the errors are those of Beat.
func (g *Group) Leave(now time.Time, b shardset.Heartbeat) error {
	if err := b.Validate(); err != nil {
		return err
	}
	g.begin(now)
	defer g.end(now)
	m := g.members[b.Member]
	if m == nil {
		// Its first heartbeat may come later, and must not make it a member.
		g.rememberInstance(now, b.Member, b.Instance)
		return nil
	}
	if !m.former || b.Instance != m.instance { // a former member may leave as the instance that it was
		if _, err := g.admit(now, &b); err != nil {
			return err
		}
	}
	m.seq = b.Seq
	if !m.former { // the new group does the work of the deleted one again
		g.takeClosed(m, &b)
		g.takeComplete(m, &b)
	}
	if len(b.Held) == 0 {
		g.removeMember(now, m)
		return nil
	}
	b.Leaving = true
	g.setWeight(m, &b)
	g.takeReleased(m, &b)
	return nil
}

// Expire removes the members whose leases have ended by now, and shares out their shards. Every other
// event starts with this.
func (g *Group) Expire(now time.Time) {
	g.begin(now)
	g.end(now)
}

// expireMembers removes the members whose leases have ended.
func (g *Group) expireMembers(now time.Time) {
	if g.nextExpiry.IsZero() || now.Before(g.nextExpiry) {
		return
	}
	g.nextExpiry = time.Time{}
	for _, m := range slices.Clone(g.sorted) {
		if !now.Before(m.expires) {
			g.removeMember(now, m)
			continue
		}
		if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
			g.nextExpiry = m.expires
		}
	}
}

// rememberInstance makes a tombstone for an instance. It deletes expired tombstones if there are many.
func (g *Group) rememberInstance(now time.Time, name string, instance uint64) {
	if instance == 0 || g.tombstones == nil {
		return
	}
	g.tombstones[name] = tombstone{instance: max(instance, g.tombstones[name].instance), until: now.Add(2 * g.change.expiry(g.cfg.TTL))}
	if len(g.tombstones) <= g.tombstoneLimit {
		return
	}
	for name, d := range g.tombstones {
		if now.After(d.until) {
			delete(g.tombstones, name)
		}
	}
	g.tombstoneLimit = 2*len(g.tombstones) + 16
}

// removeMember removes a member and frees its shards.
func (g *Group) removeMember(now time.Time, m *member) {
	for _, i := range g.owned(m) {
		g.free(i)
	}
	g.releaseRemoved(m, func(shardset.ID, removedShard) bool { return true })
	if m.incoming > 0 {
		for i := range g.shards {
			if s := &g.shards[i]; s.next == m {
				s.next = nil
			}
		}
		m.incoming = 0
	}
	delete(g.members, m.name)
	isM := func(o *member) bool { return o == m }
	g.sorted = slices.DeleteFunc(g.sorted, isM)
	if m.inChanged { // else it would stay in memory until TakeChanged
		g.changed = slices.DeleteFunc(g.changed, isM)
	}
	g.rememberInstance(now, m.name, m.instance)
	g.dirty = true
	g.changes++
}

// Evict removes a member as if its lease had ended. It does nothing and returns false if there is no
// member with this name and instance. Pass zero if the member's heartbeats carry no instance.
func (g *Group) Evict(now time.Time, member string, instance uint64) bool {
	g.begin(now)
	defer g.end(now)
	m := g.members[member]
	if m == nil || instance != m.instance {
		return false
	}
	g.removeMember(now, m)
	return true
}

// Batch calls the function events, and treats all events inside it as one: the generation rises once,
// and the group shares out its shards once, at the end. The answers that Beat returns inside the
// function are not valid.
func (g *Group) Batch(now time.Time, events func()) {
	g.begin(now)
	g.batch = true
	events()
	g.batch = false
	g.end(now)
}
