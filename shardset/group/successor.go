package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Successor returns the group of a Config and a list of shards that is made after g was
// deleted. Its epochs and its generation are above all of g's. Members of g are not its
// members, but those that owned shards may be at work still: what they owned is in transfer
// until they are found to be over, because they have left, were evicted, came back as a
// later instance, or said nothing for a lease. A shard that is not in the new list is held
// back likewise, in case it is put in.
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

// inherit makes a member of the deleted group old a former member, with what it owned.
func (g *Group) inherit(old *Group, m *member) {
	f := &member{name: m.name, instance: m.instance, expires: m.expires, former: true, stale: true}
	g.insert(f)
	g.formerTTL = max(g.formerTTL, old.Expiry())
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

// holdBack leaves a shard to a former member.
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

// highestEpoch returns the highest epoch or generation that the group has given.
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

// Expiry is how long a member, or a former one, may say nothing before it expires: the TTL,
// or the longer one while it is being changed, or that of a deleted group whose members may be
// at work.
func (g *Group) Expiry() time.Duration { return max(g.change.silence(g.cfg.TTL), g.formerTTL) }

// hasFormer reports whether there are former members.
func (g *Group) hasFormer() bool {
	for _, m := range g.sorted {
		if m.former {
			return true
		}
	}
	return false
}
