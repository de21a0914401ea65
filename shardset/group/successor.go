package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Successor returns the group that replaces g after g was deleted. Its epochs and its generation are
// higher than all of g's. The owners in g may still work. So they are former members of the new group
// until they leave, expire, are evicted or join as a new instance. Until then, their shards are in
// transfer. If such a shard is not in list, and SetShards adds it later, it is in transfer, too.
func (g *Group) Successor(now time.Time, cfg Config, list []shardset.Shard) (*Group, error) {
	cfg.FirstEpoch = max(cfg.FirstEpoch, g.highestEpoch()+1)
	next, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := next.SetShards(now, list); err != nil {
		return nil, err
	}
	next.begin(now)
	next.raiseGeneration()
	for _, m := range g.sorted {
		if m.held+m.outgoing+m.removed > 0 {
			next.addFormer(g, m)
		}
	}
	next.recount()
	next.TakeChanged()
	next.dirty = true
	next.end(now)
	return next, nil
}

// addFormer adds a member of the deleted group as a former member, with its shards.
func (g *Group) addFormer(old *Group, m *member) {
	f := &member{name: m.name, instance: m.instance, expires: m.expires, former: true, grantsStale: true}
	g.insert(f)
	g.formerTTL = max(g.formerTTL, old.expiry())
	if g.nextExpiry.IsZero() || f.expires.Before(g.nextExpiry) {
		g.nextExpiry = f.expires
	}
	for _, i := range old.owned(m) {
		g.keepWithFormer(f, old.shards[i].id, old.shards[i].epoch)
	}
	if m.removed == 0 {
		return
	}
	for id, r := range old.removed {
		if r.holder == m {
			g.keepWithFormer(f, id, r.epoch)
		}
	}
}

// keepWithFormer makes a former member the owner of a shard that it owned in the deleted group.
func (g *Group) keepWithFormer(f *member, id shardset.ID, epoch uint64) {
	i, ok := g.index[id]
	if !ok {
		g.removed[id] = removedShard{epoch: epoch, granted: g.generation, holder: f}
		f.removed++
		return
	}
	s := &g.shards[i]
	s.owner, s.state, s.epoch = f, StateTransfer, epoch
	s.granted, s.revoked = g.generation, g.generation
}

// highestEpoch returns the highest epoch or generation of the group.
func (g *Group) highestEpoch() uint64 {
	highest := max(g.generation, g.cfg.FirstEpoch)
	for i := range g.shards {
		highest = max(highest, g.shards[i].epoch)
	}
	for _, r := range g.removed {
		highest = max(highest, r.epoch)
	}
	return highest
}

// expiry returns State.Expiry.
func (g *Group) expiry() time.Duration { return max(g.change.expiry(g.cfg.TTL), g.formerTTL) }

// hasFormer reports whether there are former members.
func (g *Group) hasFormer() bool {
	for _, m := range g.sorted {
		if m.former {
			return true
		}
	}
	return false
}
