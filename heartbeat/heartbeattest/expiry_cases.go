package heartbeattest

import (
	"time"
)

func expiryCases() []testCase {
	return []testCase{
		{name: "Expiry/silent member", run: expirySilent},
		{name: "Expiry/late heartbeat", run: expiryLate},
		{name: "Expiry/of a stuck member", run: expiryStuck},
	}
}

// The shards of a member that falls silent move when its lease is over: a TTL after
// its last heartbeat, no earlier and not much later.
func expirySilent(k *kit) {
	a, b := k.pair()
	k.answered(a)
	lost := a.running()
	a.die()
	k.takeover(b, a.sent, a.back, lost)
}

// takeover waits for b to get the shards of a member whose last heartbeat left at
// sent and was answered at back, and fails the test unless that is the right time.
func (k *kit) takeover(b *member, sent, back time.Time, lost set) {
	k.Helper()
	k.until(time.Until(back.Add(k.expiry())), "b has the shards of the silent member", func() bool {
		missing := 0
		for _, id := range lost {
			if !b.running().has(id) {
				missing++
			} else if early := k.ttl - time.Since(sent); early > 0 {
				k.Fatalf("b has shard %s %v before the lease of its silent holder ends", id, early)
			}
		}
		return missing == 0
	}, b)
}

// A lease counts from the last heartbeat, however late in the lease that came.
func expiryLate(k *kit) {
	a, b := k.pair()
	k.answered(a)
	mine := a.running()
	for range 3 {
		k.during(k.ttl/2, "a keeps its shards until its next heartbeat", func() bool {
			return len(b.running())+len(mine) == len(k.ids)
		}, b)
		k.answered(a)
	}
	if !a.running().equal(mine) {
		k.Fatalf("a, which was never silent for a whole TTL, no longer has %v; %s", mine, a)
	}
	lost := a.running()
	a.die()
	k.takeover(b, a.sent, a.back, lost)
}

// A lease covers the revoked shards that its member still lists.
func expiryStuck(k *kit) {
	a := k.together("a")[0]
	b := k.member("b")
	a.stuck = true
	k.until(k.patience, "a has to give shards to b", revoked(a), b, a)
	k.answered(a)
	a.die()
	k.takeover(b, a.sent, a.back, setOf(k.ids...))
}
