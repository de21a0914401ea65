package heartbeattest

import (
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func evictionCases() []testCase {
	return []testCase{
		{name: "Eviction/stranger", run: evictionStranger},
		{name: "Eviction/after expiry", run: evictionExpired},
		{name: "Eviction/rejoin", run: evictionRejoin},
	}
}

// A stranger that says that it holds something is refused, does not become a member,
// and moves nothing. With an empty list it joins.
func evictionStranger(k *kit) {
	b := k.together("b")[0]
	before := b.answer.Grants
	a := k.puppet("a")
	k.during(k.patience, "a was refused, so b has all shards", func() bool {
		k.refused("a stranger's heartbeat that lists shards", a.say(a.answer.Generation, before[:1]), heartbeat.ErrEvicted)
		return sameGrants(b.answer.Grants, before)
	}, b)
	a.beatUntil("a has joined with an empty list", func() bool { return k.shared(a, b) }, b)
}

// So is a member whose lease has ended. What it had is somebody else's and stays so.
func evictionExpired(k *kit) {
	a := k.puppet("a")
	a.beatUntil("a was granted all shards", a.all)
	old := a.answer
	b := k.member("b")
	k.until(k.expiry()+k.patience, "b has the shards of a, which is silent", holding(b, k.ids...), b)
	before := b.answer.Grants
	k.during(k.patience, "a is no longer a member, so b has all shards", func() bool {
		k.refused("a heartbeat of an expired member that lists shards", a.say(old.Generation, old.Grants), heartbeat.ErrEvicted)
		return sameGrants(b.answer.Grants, before)
	}, b)
}

// An evicted member joins again and gets its share, afresh.
func evictionRejoin(k *kit) {
	a, b := k.pair()
	k.until(k.expiry()+k.patience, "b has the shards of a, which is silent", holding(b, k.ids...), b)
	epochs := map[shardset.ID]uint64{}
	for _, g := range b.answer.Grants {
		epochs[g.ID] = g.Epoch
	}
	k.until(2*k.patience, "a is back and has its share", k.settled(a, b), a, b)
	for _, g := range a.answer.Grants {
		if k.info.Guarantees.Epochs && g.Epoch <= epochs[g.ID] {
			k.Errorf("shard %s went from b to a, and its epoch from %d to %d", g.ID, epochs[g.ID], g.Epoch)
		}
	}
}
