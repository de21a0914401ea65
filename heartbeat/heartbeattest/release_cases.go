package heartbeattest

import "github.com/rollcall-go/rollcall/shardset"

func releaseCases() []testCase {
	return []testCase{
		{name: "Release/while listed", run: releaseListed},
		{name: "Release/one by one", run: releaseOneByOne},
		{name: "Release/back again", run: releaseBack},
	}
}

// revoked is a condition: the member has to release a shard, and has not.
func revoked(m *member) func() bool {
	return func() bool { return len(m.waiting) > 0 && m.err == nil }
}

// A revoked shard is nobody else's as long as its holder lists it, however long that
// takes, and the next member's soon after it does not.
func releaseListed(k *kit) {
	a := k.together("a")[0]
	b := k.member("b")
	a.stuck = true
	k.until(k.patience, "a has to give shards to b", revoked(a), b, a)
	k.during(k.ttl+k.ttl/2, "a lists all shards, so b has none", holding(b), b, a)
	if n := len(a.listed()); n != len(k.ids) {
		k.Fatalf("a lists %d shards of %d; its lease ended", n, len(k.ids))
	}
	a.returnAll()
	k.until(k.patience, "b has its share, which a has released", k.settled(a, b), a, b)
}

// Each shard is released by itself.
func releaseOneByOne(k *kit) {
	a := k.together("a")[0]
	b := k.member("b")
	a.stuck = true
	share := len(k.ids) / 2
	k.until(k.patience, "a has to give half of its shards to b", func() bool { return len(a.waiting) == share }, b, a)
	var gone []shardset.ID
	for id := range a.waiting {
		gone = append(gone, id)
	}
	for i, id := range gone {
		a.finish(id, shardset.OutcomeReleased)
		k.until(k.patience, "b has what a has released, and nothing else", holding(b, gone[:i+1]...), a, b)
	}
}

// A shard whose next member is gone before its holder has finished comes back to the
// holder. It is drained first, and then taken afresh.
func releaseBack(k *kit) {
	a := k.together("a")[0]
	b := k.member("b")
	a.stuck = true
	k.until(k.patience, "a has to give shards to b", revoked(a), b, a)
	before := a.runs
	if k.info.Guarantees.Leave {
		b.leave()
	} else {
		b.die()
	}
	k.until(k.expiry()+k.patience, "all shards are assigned to a again",
		func() bool { return len(granted(a.answer.Grants)) == len(k.ids) }, a)
	old := map[shardset.ID]*run{}
	for id := range a.waiting {
		old[id] = before[id]
	}
	a.returnAll()
	k.until(k.patience, "a holds all shards again", holding(a, k.ids...), a)
	for id, r := range old {
		if a.runs[id] == r {
			k.Errorf("shard %s drained at a and was not started afresh", id)
		}
	}
}
