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
		{name: "Generation/given up", needs: heartbeat.Guarantees{AckedRevoke: true, Epochs: true}, run: generationGivenUp},
	}
}

// A heartbeat that omits a revoked shard, from a member that has not heard of the
// revocation, does not release it: it may be from before the shard was started.
func generationOfGrant(k *kit) {
	a, b := k.puppet("a"), k.member("b")
	a.beatUntil("a was granted all shards", a.all)
	granted := a.answer.Generation
	all := a.answer.Grants
	k.until(k.patience, "a has to give half of its shards to b", func() bool {
		a.mustSay(granted, all)
		return len(a.answer.Grants) == len(all)/2
	}, b)
	k.during(k.ttl, "a has not heard of the revocation, so b has nothing", func() bool {
		a.mustSay(granted, a.answer.Grants)
		return len(b.running()) == 0
	}, b)
	k.until(k.patience, "a has heard of it, so b has its share", func() bool {
		a.mustSay(a.answer.Generation, a.answer.Grants)
		return len(b.running()) == len(all)-len(a.answer.Grants)
	}, b)
}

// A heartbeat that lists nothing, from a member that has not heard of its grants,
// releases nothing: its answer may have been lost on the way.
func generationBeforeGrant(k *kit) {
	a, b := k.puppet("a"), k.member("b")
	a.beatUntil("a was granted all shards", a.all)
	first := a.answer
	k.during(k.ttl/2, "a has heard nothing, so all is as it was granted", func() bool {
		a.mustSay(0, nil)
		return sameGrants(a.answer.Grants, first.Grants)
	})
	k.during(k.ttl, "a has heard nothing, so b has nothing", func() bool {
		a.mustSay(0, nil)
		return len(b.running()) == 0
	}, b)
}

// A member that omits a shard which it knows to be its own has given it up, and gets
// it afresh, if at all.
func generationGivenUp(k *kit) {
	a := k.puppet("a")
	a.beatUntil("a was granted all shards", a.all)
	first := a.answer
	g := first.Grants[0]
	a.mustSay(first.Generation, first.Grants[1:])
	k.until(k.patience, "the shard was granted again, under a higher epoch", func() bool {
		held := []shardset.Grant{}
		for _, h := range a.answer.Grants {
			if h != g {
				held = append(held, h)
			}
		}
		a.mustSay(a.answer.Generation, held)
		return a.all() && a.epoch(g.ID) > g.Epoch
	})
	for _, h := range first.Grants[1:] {
		if e := a.epoch(h.ID); e != h.Epoch {
			k.Errorf("a gave up shard %s, and the epoch of shard %s went from %d to %d", g.ID, h.ID, h.Epoch, e)
		}
	}
	if !k.fences() {
		return
	}
	k.refused("a save under the epoch that was given up", a.save(a.owner(g), "old"), shardset.ErrNotOwner)
	if _, err := a.load(a.owner(shardset.Grant{ID: g.ID, Epoch: a.epoch(g.ID)})); err != nil {
		k.Errorf("a load under the new epoch: %v", err)
	}
}

// mustSay is say for heartbeats that have to be answered.
func (p *puppet) mustSay(generation uint64, held []shardset.Grant) {
	p.k.Helper()
	if err := p.say(generation, held); err != nil {
		p.k.Fatalf("heartbeat of %s: %v", p.name, err)
	}
}
