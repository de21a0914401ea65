package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Successor returns the group that is made after g was deleted. Its epochs and its generation are
// above all of g's. It has none of g's members. But those that owned shards may still work, so
// their shards are in transfer from them, as former members, until they leave, expire, are evicted
// or join as a new instance. The same holds for a shard that comes into the list later.
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
	next.touch()
	for _, m := range g.sorted {
		if m.held+m.out+m.removed > 0 {
			next.inherit(g, m)
		}
	}
	next.recount()
	next.TakeChanged()
	next.dirty = true
	next.end(now)
	return next, nil
}

// inherit makes a member of the deleted group a former member, with its shards.
func (g *Group) inherit(old *Group, m *member) {
	f := &member{name: m.name, instance: m.instance, expires: m.expires, former: true, stale: true}
	g.insert(f)
	g.formerTTL = max(g.formerTTL, old.expiry())
	if g.nextExpiry.IsZero() || f.expires.Before(g.nextExpiry) {
		g.nextExpiry = f.expires
	}
	for _, i := range old.owned(m) {
		g.holdBack(f, old.shards[i].id, old.shards[i].epoch)
	}
	if m.removed == 0 {
		return
	}
	for id, r := range old.removed {
		if r.holder == m {
			g.holdBack(f, id, r.epoch)
		}
	}
}

// holdBack leaves a shard with a former member.
func (g *Group) holdBack(f *member, id shardset.ID, epoch uint64) {
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

// expiry is that of State.
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
