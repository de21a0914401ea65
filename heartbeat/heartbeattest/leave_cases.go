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

// When a member leaves, its shards are free long before its lease would end.
func leaveFrees(k *kit) {
	a, b := k.joinPair()
	a.leave()
	k.until(k.ttl/2, "b has all shards, because a has left", holding(b, k.ids...), b)
}

// If a processor of a leaving member does not return, the member still reports that shard, and keeps
// it until its lease ends. Its other shards are free.
func leaveStuck(k *kit) {
	a, b := k.joinPair()
	k.answered(a)
	stuck := a.oneShard()
	sent, back := a.sent, a.back
	a.stuck = true
	a.applyPlan(a.tracker.Leave(time.Now()))
	for id := range a.draining {
		if id != stuck {
			a.finish(id, shardset.OutcomeReleased)
		}
	}
	a.leave()
	rest := setOf(k.ids...).minus(setOf(stuck))
	k.until(k.ttl/2, "b has all shards but the stuck one", holding(b, rest...), b)
	k.takeover(b, sent, back, setOf(stuck))
}

// A leaving member that still drains receives no shards. The shards that it releases move at once.
// Its heartbeats keep only the shards that they report.
func leaveDraining(k *kit) {
	a, b := k.joinPair()
	stuck := a.oneShard()
	a.stuck = true
	a.applyPlan(a.tracker.Leave(time.Now()))
	for id := range a.draining {
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

// Leave may be repeated, because its answer may have been lost. Leave of an unknown member succeeds.
func leaveTwice(k *kit) {
	a, b := k.joinPair()
	a.leave()
	a.leave()
	k.member("c").leave()
	k.until(k.ttl/2, "b has all shards, because a has left", holding(b, k.ids...), b)
}

// A delayed heartbeat from before the leave does not make the process a member again.
func leaveLate(k *kit) {
	a, b := k.manual("a"), k.member("b")
	a.beatUntil("a and b share the shards", func() bool { return k.shared(a, b) }, b)
	err := k.retry(func(ctx context.Context) error {
		return a.client.(heartbeat.Leaver).Leave(ctx, shardset.Heartbeat{Member: "a", Seq: a.seq + 10, Instance: a.instance, Generation: a.answer.Generation})
	})
	if err != nil {
		k.Fatalf("leave: %v", err)
	}
	for _, held := range [][]shardset.Grant{a.answer.Grants, nil} {
		err := a.beatWith(a.answer.Generation, held)
		k.refused("a heartbeat from before the leave", err, heartbeat.ErrEvicted, heartbeat.ErrStaleHeartbeat, heartbeat.ErrReplaced)
	}
	k.until(k.ttl/2, "b has all shards, because a has left", holding(b, k.ids...), b)
	k.during(k.patience, "a does not come back", holding(b, k.ids...), b)
}
