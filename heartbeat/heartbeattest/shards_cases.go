package heartbeattest

import (
	"github.com/rollcall-go/rollcall/shardset"
)

func shardsCases() []testCase {
	return []testCase{
		{name: "Shards/added", setShards: true, run: shardsAdded},
		{name: "Shards/removed", setShards: true, run: shardsRemoved},
	}
}

// New shards are granted so that the numbers differ by at most one. The old ones stay with their owners.
func shardsAdded(k *kit) {
	a, b := k.joinPair()
	mine, others := a.running(), b.running()
	k.set(shards(13))
	k.until(2*k.patience, "a and b share thirteen shards", k.settled(a, b), a, b)
	for _, was := range []struct {
		m   *member
		set set
	}{{a, mine}, {b, others}} {
		if lost := was.set.minus(was.m.running()); len(lost) > 0 {
			k.Errorf("shards were added, and %s lost %v", was.m.name, lost)
		}
	}
}

// Answers no longer grant removed shards. Shards that come back are granted again.
func shardsRemoved(k *kit) {
	a, b := k.joinPair()
	first := k.ids[0]
	k.set(k.list[2:])
	gone := func() bool {
		return k.settled(a, b)() && !a.running().has(first) && !b.running().has(first)
	}
	k.until(2*k.patience, "a and b share what is left", gone, a, b)
	k.set(shards(8))
	k.until(2*k.patience, "a and b share eight shards again", k.settled(a, b), a, b)
}

// set replaces the group's shards.
func (k *kit) set(list []shardset.Shard) {
	k.Helper()
	k.list, k.ids = list, nil
	for _, s := range list {
		k.ids = append(k.ids, s.ID)
		k.known[s.ID] = true
	}
	if err := k.SetShards(list); err != nil {
		k.Fatalf("SetShards: %v", err)
	}
}
