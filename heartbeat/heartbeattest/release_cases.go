package heartbeattest

import "github.com/rollcall-go/rollcall/shardset"

func releaseCases() []testCase {
	return []testCase{
		{name: "Release/while listed", run: releaseListed},
		{name: "Release/one by one", run: releaseOneByOne},
		{name: "Release/back again", run: releaseBack},
	}
}

// revoked is a condition: a shard was revoked from the member, and the member has not released it.
func revoked(m *member) func() bool {
	return func() bool { return len(m.draining) > 0 && m.err == nil }
}

// No other member receives a revoked shard while its holder reports it, even for longer than a lease.
// The next member receives it soon after the holder has released it.
func releaseListed(k *kit) {
	a := k.join("a")[0]
	b := k.member("b")
	a.stuck = true
	k.until(k.patience, "shards of a are revoked", revoked(a), b, a)
	k.during(k.ttl+k.ttl/2, "a lists all shards, so b has none", holding(b), b, a)
	if n := len(a.listed()); n != len(k.ids) {
		k.Fatalf("a lists %d shards of %d; its lease ended", n, len(k.ids))
	}
	a.returnAll()
	k.until(k.patience, "b has its share, which a has released", k.settled(a, b), a, b)
}

// A member can release its revoked shards one by one.
func releaseOneByOne(k *kit) {
	a := k.join("a")[0]
	b := k.member("b")
	a.stuck = true
	share := len(k.ids) / 2
	k.until(k.patience, "half of the shards of a are revoked", func() bool { return len(a.draining) == share }, b, a)
	var gone []shardset.ID
	for id := range a.draining {
		gone = append(gone, id)
	}
	for i, id := range gone {
		a.finish(id, shardset.OutcomeReleased)
		k.until(k.patience, "b has what a has released, and nothing else", holding(b, gone[:i+1]...), a, b)
	}
}

// If the next member leaves before the holder has drained a shard, the shard is assigned to the holder
// again. The holder first drains the shard, and then starts it again.
func releaseBack(k *kit) {
	a := k.join("a")[0]
	b := k.member("b")
	a.stuck = true
	k.until(k.patience, "shards of a are revoked", revoked(a), b, a)
	before := a.runs
	if k.info.Guarantees.Leave {
		b.leave()
	} else {
		b.crash()
	}
	k.until(k.expiry()+k.patience, "all shards are assigned to a again",
		func() bool { return len(granted(a.answer.Grants)) == len(k.ids) }, a)
	old := map[shardset.ID]*run{}
	for id := range a.draining {
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
