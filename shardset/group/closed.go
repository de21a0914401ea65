package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Close is the event of a shard being closed by the service: nothing more will come of it. Its
// children no longer wait for it, and its owner's answers omit it. The owner may still run it, so
// until the owner has released it Reopen gives it back to that owner. Close of an unknown shard
// does nothing.
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

// closeShard closes a shard and takes it from its owner.
func (g *Group) closeShard(i int32) {
	if g.shards[i].owner != nil {
		g.free(i)
	}
	g.shards[i].state = StateClosed
	g.completeShards++
	g.dirty = true
}

// Reopen is the event of a closed shard being opened again, because its checkpoint was moved back
// from its end. Reopen of any other shard does nothing.
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
