package heartbeattest

import (
	"time"
)

func expiryCases() []testCase {
	return []testCase{
		{name: "Expiry/stopped member", run: expiryStopped},
		{name: "Expiry/late heartbeat", run: expiryLate},
		{name: "Expiry/of a stuck member", run: expiryStuck},
	}
}

// The shards of a member that stops sending heartbeats move when its lease ends: a TTL after its last
// heartbeat, not earlier and not much later.
func expiryStopped(k *kit) {
	a, b := k.joinPair()
	k.answered(a)
	lost := a.running()
	a.crash()
	k.takeover(b, a.sent, a.back, lost)
}

// takeover waits until b has the shards of a member whose last heartbeat left at sent and was answered
// at back. It fails the test if b gets them too early or too late.
func (k *kit) takeover(b *member, sent, back time.Time, lost set) {
	k.Helper()
	k.until(time.Until(back.Add(k.expiry())), "b has the shards of the stopped member", func() bool {
		missing := 0
		for _, id := range lost {
			if !b.running().has(id) {
				missing++
			} else if early := k.ttl - time.Since(sent); early > 0 {
				k.Fatalf("b has shard %s %v before the lease of its stopped holder ends", id, early)
			}
		}
		return missing == 0
	}, b)
}

// A lease counts from the last heartbeat, even if that came shortly before the previous lease ended.
func expiryLate(k *kit) {
	a, b := k.joinPair()
	k.answered(a)
	mine := a.running()
	for range 3 {
		k.during(k.ttl/2, "a keeps its shards until its next heartbeat", func() bool {
			return len(b.running())+len(mine) == len(k.ids)
		}, b)
		k.answered(a)
	}
	if !a.running().equal(mine) {
		k.Fatalf("a, which sent a heartbeat at least every half TTL, no longer has %v; %s", mine, a)
	}
	lost := a.running()
	a.crash()
	k.takeover(b, a.sent, a.back, lost)
}

// A lease covers the revoked shards that the member still reports.
func expiryStuck(k *kit) {
	a := k.join("a")[0]
	b := k.member("b")
	a.stuck = true
	k.until(k.patience, "shards of a are revoked", revoked(a), b, a)
	k.answered(a)
	a.crash()
	k.takeover(b, a.sent, a.back, setOf(k.ids...))
}
