package heartbeattest

import (
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func generationCases() []testCase {
	acked := heartbeat.Guarantees{AckedRevoke: true}
	return []testCase{
		{name: "Generation/before the revocation", needs: acked, run: generationOfGrant},
		{name: "Generation/before the grant", needs: acked, run: generationBeforeGrant},
		{name: "Generation/released", needs: heartbeat.Guarantees{AckedRevoke: true, Epochs: true}, run: generationReleased},
	}
}

// If a member does not know of a revocation, its heartbeat cannot release the shard by omitting it:
// the member may have sent the heartbeat before it started the shard.
func generationOfGrant(k *kit) {
	a, b := k.manual("a"), k.member("b")
	a.beatUntil("a was granted all shards", a.all)
	granted := a.answer.Generation
	all := a.answer.Grants
	k.until(k.patience, "half of the shards of a are revoked", func() bool {
		a.mustBeatWith(granted, all)
		return len(a.answer.Grants) == len(all)/2
	}, b)
	k.during(k.ttl, "a does not know of the revocation, so b has nothing", func() bool {
		a.mustBeatWith(granted, a.answer.Grants)
		return len(b.running()) == 0
	}, b)
	k.until(k.patience, "a knows of the revocation, so b has its share", func() bool {
		a.mustBeatWith(a.answer.Generation, a.answer.Grants)
		return len(b.running()) == len(all)-len(a.answer.Grants)
	}, b)
}

// If a member does not know of its grants, a heartbeat with an empty list releases nothing: the answer
// with the grants may have been lost.
func generationBeforeGrant(k *kit) {
	a, b := k.manual("a"), k.member("b")
	a.beatUntil("a was granted all shards", a.all)
	first := a.answer
	k.during(k.ttl/2, "a does not know of its grants, so they stay", func() bool {
		a.mustBeatWith(0, nil)
		return sameGrants(a.answer.Grants, first.Grants)
	})
	k.during(k.ttl, "a does not know of its grants, so b has nothing", func() bool {
		a.mustBeatWith(0, nil)
		return len(b.running()) == 0
	}, b)
}

// If a member knows of a shard and omits it, it releases the shard. If it receives the shard again,
// the epoch is higher.
func generationReleased(k *kit) {
	a := k.manual("a")
	a.beatUntil("a was granted all shards", a.all)
	first := a.answer
	g := first.Grants[0]
	a.mustBeatWith(first.Generation, first.Grants[1:])
	k.until(k.patience, "the shard was granted again, under a higher epoch", func() bool {
		held := []shardset.Grant{}
		for _, h := range a.answer.Grants {
			if h != g {
				held = append(held, h)
			}
		}
		a.mustBeatWith(a.answer.Generation, held)
		return a.all() && a.epoch(g.ID) > g.Epoch
	})
	for _, h := range first.Grants[1:] {
		if e := a.epoch(h.ID); e != h.Epoch {
			k.Errorf("a released shard %s, and the epoch of shard %s went from %d to %d", g.ID, h.ID, h.Epoch, e)
		}
	}
	if !k.fences() {
		return
	}
	k.refused("a save under the released epoch", a.save(a.owner(g), "old"), shardset.ErrNotOwner)
	if _, err := a.load(a.owner(shardset.Grant{ID: g.ID, Epoch: a.epoch(g.ID)})); err != nil {
		k.Errorf("a load under the new epoch: %v", err)
	}
}

// mustBeatWith is beatWith, and ends the test if the service refuses the heartbeat.
func (p *manual) mustBeatWith(generation uint64, held []shardset.Grant) {
	p.k.Helper()
	if err := p.beatWith(generation, held); err != nil {
		p.k.Fatalf("heartbeat of %s: %v", p.name, err)
	}
}
