package group

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// join makes the speaker a member.
func (g *Group) join(b *shardset.Heartbeat) *member {
	m := &member{name: b.Member, instance: b.Instance, weight: max(b.Weight, 1), stale: true}
	g.insert(m)
	delete(g.tombstones, b.Member)
	g.dirty = true
	g.changes++
	return m
}

// adopt lets the member of a group that recovers keep what it holds, unless somebody
// holds it under a newer epoch. It does so at every heartbeat, not only at the one
// that joins: an old one, held up on the way, may have come first, with a shorter list.
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
			g.grant(i, m) // a member that knows no epochs
		case h.Epoch < s.epoch, h.Epoch == s.epoch && s.owner != nil:
			continue
		default:
			if s.owner != nil {
				g.free(i)
			}
			s.epoch = h.Epoch
			g.own(i, m)
		}
		// The member knew that it had it, so whenever it omits it, it has given it up.
		s.granted = 0
	}
}

// adoptRemoved remembers that m holds a shard that is not in the list: it may have been
// taken out before the service forgot, and be put back.
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

// replace ends the old instance of a name and goes on with the new one. What the
// new one reports, a processor of the old one that ignores its end, stays with the
// member under a new epoch, so that nobody doubles it; everything else is free.
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
		g.raise(i)
		g.touch()
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

// Leave is the event of a member leaving for good. What it still reports as held,
// a processor that does not end, stays its own until its lease runs out; everything
// else is free at once. An unknown member has nothing to leave. Errors are those
// of Beat.
func (g *Group) Leave(now time.Time, b shardset.Heartbeat) error {
	if err := b.Validate(); err != nil {
		return err
	}
	g.begin(now)
	defer g.end(now)
	m := g.members[b.Member]
	if m == nil {
		// Its first heartbeat may be on the way still, and must not make it a member.
		g.rememberInstance(now, b.Member, b.Instance)
		return nil
	}
	if !m.former || b.Instance != m.instance { // a former one may say that it has left
		if _, err := g.admit(now, &b); err != nil {
			return err
		}
	}
	m.seq = b.Seq
	if !m.former { // what it has done of the deleted group is to be done again
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

// Expire is the event of time passing: members whose leases ended are dropped and
// their shards given away. Every other event does the same first.
func (g *Group) Expire(now time.Time) {
	g.begin(now)
	g.end(now)
}

// expireMembers drops the members whose leases have ended.
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

// rememberInstance remembers an instance that is gone, and forgets those of long ago.
func (g *Group) rememberInstance(now time.Time, name string, instance uint64) {
	if instance == 0 || g.tombstones == nil {
		return
	}
	g.tombstones[name] = tombstone{instance: max(instance, g.tombstones[name].instance), until: now.Add(2 * g.change.silence(g.cfg.TTL))}
	if len(g.tombstones) <= g.manyTombstones {
		return
	}
	for name, d := range g.tombstones {
		if now.After(d.until) {
			delete(g.tombstones, name)
		}
	}
	g.manyTombstones = 2*len(g.tombstones) + 16
}

// drop ends a member.
func (g *Group) removeMember(now time.Time, m *member) {
	for _, i := range g.owned(m) {
		g.free(i)
	}
	g.releaseRemoved(m, func(shardset.ID, removedShard) bool { return true })
	if m.in > 0 {
		for i := range g.shards {
			if s := &g.shards[i]; s.next == m {
				s.next = nil
			}
		}
		m.in = 0
	}
	delete(g.members, m.name)
	isM := func(o *member) bool { return o == m }
	g.sorted = slices.DeleteFunc(g.sorted, isM)
	if m.listed { // else it would stay until somebody calls TakeChanged
		g.changed = slices.DeleteFunc(g.changed, isM)
	}
	g.rememberInstance(now, m.name, m.instance)
	g.dirty = true
	g.changes++
}

// Evict is the event of a member being ended by whoever keeps the group, as if its lease had
// ended. Another instance of the name is left alone; zero is that of a member which has told
// none. Evict reports whether there was such a member.
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

// Batch makes all events of a function one: they raise the generation once, and the
// shards are shared out once, at the end. Answers are worth nothing before that.
func (g *Group) Batch(now time.Time, events func()) {
	g.begin(now)
	g.batch = true
	events()
	g.batch = false
	g.end(now)
}
