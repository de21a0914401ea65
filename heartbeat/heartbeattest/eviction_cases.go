package heartbeattest

import (
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func evictionCases() []testCase {
	return []testCase{
		{name: "Eviction/unknown member", run: evictionUnknown},
		{name: "Eviction/after expiry", run: evictionExpired},
		{name: "Eviction/rejoin", run: evictionRejoin},
	}
}

// An unknown member that reports shards is refused. It does not become a member, and no shard
// moves. With an empty list it joins.
func evictionUnknown(k *kit) {
	b := k.join("b")[0]
	before := b.answer.Grants
	a := k.manual("a")
	k.during(k.patience, "a was refused, so b has all shards", func() bool {
		k.refused("a heartbeat of an unknown member that lists shards", a.beatWith(a.answer.Generation, before[:1]), heartbeat.ErrEvicted)
		return sameGrants(b.answer.Grants, before)
	}, b)
	a.beatUntil("a has joined with an empty list", func() bool { return k.shared(a, b) }, b)
}

// An expired member that reports shards is refused. Its former shards stay with their new owner.
func evictionExpired(k *kit) {
	a := k.manual("a")
	a.beatUntil("a was granted all shards", a.all)
	old := a.answer
	b := k.member("b")
	k.until(k.expiry()+k.patience, "b has the shards of a, which has stopped", holding(b, k.ids...), b)
	before := b.answer.Grants
	k.during(k.patience, "a is no longer a member, so b has all shards", func() bool {
		k.refused("a heartbeat of an expired member that lists shards", a.beatWith(old.Generation, old.Grants), heartbeat.ErrEvicted)
		return sameGrants(b.answer.Grants, before)
	}, b)
}

// An evicted member joins again and receives its share under higher epochs.
func evictionRejoin(k *kit) {
	a, b := k.joinPair()
	k.until(k.expiry()+k.patience, "b has the shards of a, which has stopped", holding(b, k.ids...), b)
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
