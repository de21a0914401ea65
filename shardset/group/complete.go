package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// marks takes from a heartbeat which of its shards the member has done. Each heartbeat
// says it anew. What it says of a shard counts under the present grant only: one that
// was granted again since the member last heard from us is to be done again.
func (g *Group) takeComplete(m *member, b *shardset.Heartbeat) {
	if len(b.Complete) == 0 && m.complete == 0 {
		return // most groups never have anything else
	}
	done, held := sortedIDs(b.Complete), sortedGrants(b.Held)
	for _, i := range g.owned(m) {
		s := &g.shards[i]
		for len(done) > 0 && done[0].Compare(s.id) < 0 {
			done = done[1:]
		}
		for len(held) > 0 && held[0].ID.Compare(s.id) < 0 {
			held = held[1:]
		}
		said := len(done) > 0 && done[0] == s.id && len(held) > 0 && held[0].ID == s.id
		present := said && (held[0].Epoch == 0 || held[0].Epoch == s.epoch) && (b.Seq == 0 || b.Generation >= s.granted)
		g.setComplete(i, present)
	}
}

// sortedIDs returns what a report lists as done, sorted and each once.
func sortedIDs(done []shardset.ID) []shardset.ID { return ascending(done, shardset.ID.Compare) }

// mark notes whether the owner of shard i has done it.
func (g *Group) setComplete(i int32, done bool) {
	s := &g.shards[i]
	if s.complete == done {
		return
	}
	s.complete = done
	g.changes++
	n := 1
	if !done {
		n = -1
	}
	s.owner.complete += n
	g.completeShards += n
}

// judge looks whether every shard is over or done, and has every member told when that
// becomes true or false. A group that recovers has not heard from everybody: somebody
// may be at work on a shard whose former owner has done it.
func (g *Group) updateComplete(now time.Time) {
	complete := g.allShardsComplete() && !g.recovering(now)
	if complete == g.complete {
		return
	}
	g.complete = complete
	for _, m := range g.sorted {
		g.changedFor(m)
	}
}

func (g *Group) allShardsComplete() bool {
	return len(g.shards) > 0 && g.completeShards == len(g.shards)
}
