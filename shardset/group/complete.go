package group

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// takeComplete sets which of the member's shards are complete, from its heartbeat. Every heartbeat
// repeats the report. The report counts for the present grant only: if the shard was granted again
// since the member's last answer, the work on it begins again.
func (g *Group) takeComplete(m *member, b *shardset.Heartbeat) {
	if len(b.Complete) == 0 && m.complete == 0 {
		return // the common case
	}
	complete, held := sortedIDs(b.Complete), sortedGrants(b.Held)
	for _, i := range g.owned(m) {
		s := &g.shards[i]
		for len(complete) > 0 && complete[0].Compare(s.id) < 0 {
			complete = complete[1:]
		}
		for len(held) > 0 && held[0].ID.Compare(s.id) < 0 {
			held = held[1:]
		}
		reported := len(complete) > 0 && complete[0] == s.id && len(held) > 0 && held[0].ID == s.id
		present := reported && (held[0].Epoch == 0 || held[0].Epoch == s.epoch) && (b.Seq == 0 || b.Generation >= s.granted)
		g.setComplete(i, present)
	}
}

// sortedIDs returns the IDs sorted, and each once.
func sortedIDs(ids []shardset.ID) []shardset.ID { return ascending(ids, shardset.ID.Compare) }

// setComplete sets whether shard i is complete at its owner.
func (g *Group) setComplete(i int32, complete bool) {
	s := &g.shards[i]
	if s.complete == complete {
		return
	}
	s.complete = complete
	g.changes++
	n := 1
	if !complete {
		n = -1
	}
	s.owner.complete += n
	g.completeShards += n
}

// updateComplete sets whether every shard is closed or complete. If that changes, all answers change.
// While the group recovers, it is not complete: a member that it does not know yet may work on a
// shard that another member reports as complete.
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
