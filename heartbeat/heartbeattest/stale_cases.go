package heartbeattest

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func staleCases() []testCase {
	acked := heartbeat.Guarantees{AckedRevoke: true}
	return []testCase{
		{name: "Stale/releases nothing", needs: acked, run: staleReleases},
		{name: "Stale/renews nothing", needs: acked, run: staleRenews},
	}
}

// A heartbeat that arrives after a newer one is refused and changes nothing, even if it has the newest
// generation.
func staleReleases(k *kit) {
	a, b := k.manual("a"), k.member("b")
	a.beatUntil("a was granted all shards", a.all)
	all := a.answer.Grants
	k.until(k.patience, "shards of a are revoked", func() bool {
		a.mustBeatWith(a.answer.Generation, all)
		return len(a.answer.Grants) < len(all)
	}, b)
	before := a.seq
	k.during(k.ttl, "a lists all shards in its newest heartbeat, so b has nothing", func() bool {
		a.mustBeatWith(a.answer.Generation, all)
		a.sendStale(before, a.answer.Grants)
		a.sendStale(a.seq-1, nil)
		return len(b.running()) == 0
	}, b)
}

// A stale heartbeat does not renew the member's lease.
func staleRenews(k *kit) {
	a, b := k.manual("a"), k.member("b")
	a.beatUntil("a was granted all shards", a.all)
	a.beatUntil("a and b share the shards", func() bool { return k.shared(a, b) }, b)
	renewed := time.Now()
	k.during(k.ttl*2/3, "a's lease lasts", func() bool { return len(b.running()) < len(k.ids) }, b)
	a.sendStale(a.seq-1, a.answer.Grants)
	k.until(time.Until(renewed.Add(k.expiry())), "a's lease has ended, stale heartbeats or not",
		holding(b, k.ids...), b)
}

// sendStale sends a heartbeat with an old sequence number, and fails the test unless the service refuses it.
func (p *manual) sendStale(seq uint64, held []shardset.Grant) {
	p.k.Helper()
	answer, sent := p.answer, p.sent
	err := p.k.retry(func(ctx context.Context) error {
		return p.send(ctx, seq, answer.Generation, held)
	})
	p.answer, p.sent = answer, sent
	p.k.refused("a heartbeat that arrives after a newer one", err, heartbeat.ErrStaleHeartbeat)
}

// shared reports whether a manual member and a member share all shards.
func (k *kit) shared(p *manual, m *member) bool {
	n, o := len(p.answer.Grants), len(m.running())
	return n+o == len(k.ids) && n-o <= 1 && o-n <= 1
}
