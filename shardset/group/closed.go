package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Close is the event of a shard being closed by the service: the shard gets no more data. Its children
// no longer wait for it, and answers no longer grant it to its owner. The owner may still run the
// shard: if Reopen comes before the owner has released it, the same owner gets it back. Close of an
// unknown shard does nothing.
func (g *Group) Close(now time.Time, id shardset.ID) {
	g.begin(now)
	defer g.end(now)
	i, ok := g.index[id]
	if !ok || g.shards[i].state == StateClosed {
		return
	}
	s := &g.shards[i]
	g.raiseGeneration()
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

// Reopen is the event of a closed shard being opened again, for example because a user has set its
// checkpoint back. Reopen of any other shard does nothing.
func (g *Group) Reopen(now time.Time, id shardset.ID) {
	g.begin(now)
	defer g.end(now)
	i, ok := g.index[id]
	if !ok || g.shards[i].state != StateClosed {
		return
	}
	s := &g.shards[i]
	g.raiseGeneration()
	s.state = StateFree
	g.completeShards--
	g.dirty = true
	if r := g.removed[id]; r.holder != nil {
		delete(g.removed, id)
		r.holder.removed--
		s.epoch = r.epoch
		g.own(i, r.holder)
		s.granted = r.granted
		if r.holder.former { // its shards are in transfer, even while there is no other member
			s.state, s.revoked = StateTransfer, r.granted
			s.owner.held--
			s.owner.outgoing++
		}
	}
}
