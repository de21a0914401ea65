package heartbeattest

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func leaveCases() []testCase {
	leave := heartbeat.Guarantees{Leave: true}
	return []testCase{
		{name: "Leave/frees its shards", needs: leave, run: leaveFrees},
		{name: "Leave/stuck shard", needs: leave, run: leaveStuck},
		{name: "Leave/while draining", needs: heartbeat.Guarantees{Leave: true, AckedRevoke: true}, run: leaveDraining},
		{name: "Leave/twice", needs: leave, run: leaveTwice},
		{name: "Leave/late heartbeat", needs: heartbeat.Guarantees{Leave: true, AckedRevoke: true}, run: leaveLate},
	}
}

// When a member has left, its shards are free, long before its lease would end.
func leaveFrees(k *kit) {
	a, b := k.pair()
	a.leave()
	k.until(k.ttl/2, "b has all shards, because a has left", holding(b, k.ids...), b)
}

// A shard that the leaving member still lists, because its processor does not
// return, stays its own until its lease ends; the others are free.
func leaveStuck(k *kit) {
	a, b := k.pair()
	k.answered(a)
	stuck := a.oneShard()
	sent, back := a.sent, a.back
	a.stuck = true
	a.obey(a.tracker.Leave(time.Now()))
	for id := range a.waiting {
		if id != stuck {
			a.finish(id, shardset.OutcomeReleased)
		}
	}
	a.leave()
	rest := setOf(k.ids...).minus(setOf(stuck))
	k.until(k.ttl/2, "b has all shards but the stuck one", holding(b, rest...), b)
	k.takeover(b, sent, back, setOf(stuck))
}

// A leaving member that still drains takes nothing more: what it has released is the
// others' at once, and its heartbeats keep only what it lists.
func leaveDraining(k *kit) {
	a, b := k.pair()
	stuck := a.oneShard()
	a.stuck = true
	a.obey(a.tracker.Leave(time.Now()))
	for id := range a.waiting {
		if id != stuck {
			a.finish(id, shardset.OutcomeReleased)
		}
	}
	rest := setOf(k.ids...).minus(setOf(stuck))
	k.until(k.ttl/2, "b has all shards but the one that drains", holding(b, rest...), a, b)
	k.during(k.ttl+k.ttl/2, "a drains the last one, and b has the others", holding(b, rest...), a, b)
	a.returnAll()
	a.leave()
	k.until(k.ttl/2, "b has all shards, because a has left", holding(b, k.ids...), b)
}

// A leave may be repeated, when its answer was lost, and a stranger has nothing to
// leave.
func leaveTwice(k *kit) {
	a, b := k.pair()
	a.leave()
	a.leave()
	k.member("c").leave()
	k.until(k.ttl/2, "b has all shards, because a has left", holding(b, k.ids...), b)
}

// A heartbeat from before the leave, held up on the way, does not raise the member
// from the dead.
func leaveLate(k *kit) {
	a, b := k.puppet("a"), k.member("b")
	a.beatUntil("a and b share the shards", func() bool { return k.shared(a, b) }, b)
	err := k.retry(func(ctx context.Context) error {
		return a.client.(heartbeat.Leaver).Leave(ctx, shardset.Heartbeat{Member: "a", Seq: a.seq + 10, Instance: a.instance, Generation: a.answer.Generation})
	})
	if err != nil {
		k.Fatalf("leave: %v", err)
	}
	for _, held := range [][]shardset.Grant{a.answer.Grants, nil} {
		err := a.say(a.answer.Generation, held)
		k.refused("a heartbeat from before the leave", err, heartbeat.ErrEvicted, heartbeat.ErrStaleHeartbeat, heartbeat.ErrReplaced)
	}
	k.until(k.ttl/2, "b has all shards, because a has left", holding(b, k.ids...), b)
	k.during(k.patience, "a is gone", holding(b, k.ids...), b)
}
