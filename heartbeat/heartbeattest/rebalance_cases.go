package heartbeattest

import (
	"fmt"
	"maps"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func rebalanceCases() []testCase {
	return []testCase{
		{name: "Rebalance/two members", run: func(k *kit) { rebalance(k, "a", "b") }},
		{name: "Rebalance/three members", run: func(k *kit) { rebalance(k, "a", "b", "c") }},
		{name: "Rebalance/uneven", shards: shards(7), run: func(k *kit) { rebalance(k, "a", "b", "c", "d") }},
		{name: "Rebalance/epochs", needs: heartbeat.Guarantees{Epochs: true}, run: rebalanceEpochs},
	}
}

// When a member joins, the shards are shared out again, and the numbers differ by at most one. A shard
// that stays with its member is not started again.
func rebalance(k *kit, names ...string) {
	var members []*member
	for _, name := range names {
		before := make([]map[shardset.ID]*run, len(members))
		for i, m := range members {
			before[i] = maps.Clone(m.runs)
		}
		members = append(members, k.member(name))
		k.until(2*k.patience, fmt.Sprintf("%d members share %d shards within one", len(members), len(k.ids)),
			k.settled(members...), members...)
		for i, was := range before {
			for id, now := range members[i].runs {
				if was[id] != nil && was[id] != now {
					k.Errorf("shard %s was started again at %s, which had it before %s joined", id, members[i].name, name)
				}
			}
		}
	}
}

// A shard keeps its epoch while it has the same owner. Its next owner gets a higher one.
func rebalanceEpochs(k *kit) {
	a := k.join("a")[0]
	first := map[shardset.ID]uint64{}
	for id, r := range a.runs {
		first[id] = r.owner.Lease.Epoch
	}
	b := k.member("b")
	k.until(2*k.patience, "a and b share the shards", k.settled(a, b), a, b)
	for _, g := range a.answer.Grants {
		if g.Epoch != first[g.ID] {
			k.Errorf("a kept shard %s, and its epoch went from %d to %d", g.ID, first[g.ID], g.Epoch)
		}
	}
	for _, g := range b.answer.Grants {
		if g.Epoch <= first[g.ID] {
			k.Errorf("shard %s went from a to b, and its epoch from %d to %d", g.ID, first[g.ID], g.Epoch)
		}
	}
}
