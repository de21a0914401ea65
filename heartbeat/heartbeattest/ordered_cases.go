package heartbeattest

import (
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func orderedCases() []testCase {
	return []testCase{
		{name: "Ordered/children wait", needs: heartbeat.Guarantees{Ordered: true}, ordered: true, shards: family(), run: orderedWait},
		{name: "Ordered/not asked for", shards: family(), run: orderedNot},
		{name: "Closed/not granted again", run: closedStays},
	}
}

// family returns five shards: 0 was split into 1 and 2, which were then merged into 3; 4 has no
// relatives.
func family() []shardset.Shard {
	list := shards(5)
	list[1].Parents = []shardset.ID{list[0].ID}
	list[2].Parents = []shardset.ID{list[0].ID}
	list[3].Parents = []shardset.ID{list[1].ID, list[2].ID}
	return list
}

// In an ordered group a shard is granted when all its ancestors are closed, and not before. A closed
// shard is not granted again.
func orderedWait(k *kit) {
	a, b := k.member("a"), k.member("b")
	want := func(what string, numbers ...int) {
		k.Helper()
		var expected set
		for _, n := range numbers {
			expected = append(expected, k.ids[n])
		}
		all := setOf(expected...)
		running := func() set {
			return setOf(append(a.running(), b.running()...)...)
		}
		k.until(2*k.patience, what, func() bool { return running().equal(all) }, a, b)
		k.during(k.patience, what+", and no others", func() bool {
			return len(running().minus(all)) == 0
		}, a, b)
	}
	want("only shards without ancestors are granted", 0, 4)
	k.end(k.ids[0], a, b)
	want("the children of shard 0 are granted", 1, 2, 4)
	k.end(k.ids[2], a, b)
	want("shard 3 waits for its other parent", 1, 4)
	k.end(k.ids[1], a, b)
	want("shard 3 is granted", 3, 4)
}

// In a group that is not ordered no shard waits.
func orderedNot(k *kit) {
	if k.info.Guarantees.Ordered {
		k.Errorf("the service promises %s for a group that is not ordered", k.info.Guarantees)
	}
	joinAlone(k)
}

// A closed shard has no owner, even after another member joins.
func closedStays(k *kit) {
	a := k.join("a")[0]
	k.end(k.ids[0], a)
	rest := k.ids[1:]
	k.until(2*k.patience, "a has all shards but the closed one", func() bool {
		return holding(a, rest...)() && len(a.listed()) == len(rest)
	}, a)
	b := k.member("b")
	shared := func() bool {
		all := setOf(append(a.running(), b.running()...)...)
		return all.equal(setOf(rest...)) && len(b.running()) > 0
	}
	k.until(2*k.patience, "a and b share the rest", shared, a, b)
	k.during(k.patience, "the closed shard has no owner", func() bool {
		return !a.running().has(k.ids[0]) && !b.running().has(k.ids[0])
	}, a, b)
}

// end makes the owner among the members report a shard as closed.
func (k *kit) end(id shardset.ID, members ...*member) {
	k.Helper()
	for _, m := range members {
		if !m.running().has(id) || m.draining[id] {
			continue
		}
		if k.End != nil {
			if err := k.End(id); err != nil {
				k.Fatalf("end of shard %s: %v", id, err)
			}
		}
		m.finish(id, shardset.OutcomeClosed)
		return
	}
	k.Fatalf("no member runs shard %s: %s", id, describe(members))
}
