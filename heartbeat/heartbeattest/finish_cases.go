package heartbeattest

import (
	"context"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func finishCases() []testCase {
	finish := heartbeat.Guarantees{Completion: true}
	return []testCase{
		{name: "Finish/all complete", needs: finish, run: finishAll},
		{name: "Finish/as promised", run: finishPromised},
		{name: "Finish/closed counts", needs: finish, run: finishClosed},
		{name: "Finish/standby", needs: finish, shards: shards(1), run: finishStandby},
		{name: "Finish/of an expired member", needs: finish, run: finishExpired},
		{name: "Finish/new shard", needs: finish, setShards: true, run: finishNewShard},
		{name: "Finish/granted again", needs: heartbeat.Guarantees{Completion: true, AckedRevoke: true}, run: finishAgain},
		{name: "Finish/pushed", needs: heartbeat.Guarantees{Completion: true, Push: true}, run: finishPush},
	}
}

// complete lets the member's processors complete these shards. Without ids, they complete all shards
// that it runs.
func (m *member) complete(ids ...shardset.ID) {
	if ids == nil {
		ids = m.running()
	}
	for _, id := range ids {
		m.finish(id, shardset.OutcomeComplete)
	}
}

// allComplete is a condition: the newest answer of each member has Complete set.
func allComplete(members ...*member) func() bool {
	return func() bool {
		for _, m := range members {
			if !m.answer.Complete {
				return false
			}
		}
		return true
	}
}

// notComplete is a condition: in the newest answer of each member, Complete is not set.
func notComplete(members ...*member) func() bool {
	return func() bool {
		for _, m := range members {
			if m.answer.Complete {
				return false
			}
		}
		return true
	}
}

// Answers have Complete set when every shard is complete, and not before. A complete shard stays with
// its owner.
func finishAll(k *kit) {
	a, b := k.joinPair()
	mine := a.running()
	a.complete()
	b.complete(b.running()[1:]...)
	k.during(k.patience, "one shard is not complete, so no answer has Complete set", notComplete(a, b), a, b)
	b.complete()
	k.until(2*k.patience, "a and b learn that all is complete", allComplete(a, b), a, b)
	k.during(k.patience, "later answers to a and b also have Complete set", allComplete(a, b), a, b)
	if !granted(a.answer.Grants).equal(setOf(mine...)) {
		k.Errorf("a has completed %v, and is granted %v", mine, a.answer.Grants)
	}
}

// Answers have Complete set only if the service promises Completion.
func finishPromised(k *kit) {
	a := k.join("a")[0]
	a.complete()
	if k.info.Guarantees.Completion {
		k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
		return
	}
	k.during(k.patience, "a does not learn that all is complete", notComplete(a), a)
}

// A closed shard counts as complete.
func finishClosed(k *kit) {
	a := k.join("a")[0]
	k.end(k.ids[0], a)
	a.complete(k.ids[1:]...)
	k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
}

// Members without a shard, and members that join later, also get answers with Complete set.
func finishStandby(k *kit) {
	members := k.join("a", "b")
	for _, m := range members {
		m.complete()
	}
	k.until(2*k.patience, "holder and standby learn that all is complete", allComplete(members...), members...)
	late := k.member("c")
	members = append(members, late)
	k.until(2*k.patience, "a late joiner learns that all is complete, too", allComplete(members...), members...)
}

// The completed shards of an expired member move to other members and are no longer complete.
func finishExpired(k *kit) {
	a, b := k.joinPair()
	a.complete()
	k.answered(a)
	a.crash()
	b.complete()
	k.until(k.expiry(), "b has the shards of a, which has crashed", func() bool {
		if b.answer.Complete && len(b.running()) > 0 {
			k.Fatalf("b learns that all is complete, and runs %v", b.running())
		}
		return len(b.answer.Grants) == len(k.ids)
	}, b)
	k.during(k.patience, "b has not completed a's former shards, so no answer has Complete set", notComplete(b), b)
	b.complete()
	k.until(2*k.patience, "b learns that all is complete", allComplete(b), b)
}

// A new shard is not complete.
func finishNewShard(k *kit) {
	a := k.join("a")[0]
	a.complete()
	k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
	k.set(shards(len(k.ids) + 1))
	k.until(2*k.patience, "a has the new shard, and does not learn that it is complete", func() bool {
		return len(a.running()) == 1 && !a.answer.Complete
	}, a)
	a.complete()
	k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
}

// A report that a shard is complete does not count for a new grant that the member does not know yet.
func finishAgain(k *kit) {
	a := k.manual("a")
	a.beatUntil("a has all shards", a.all)
	first := a.answer
	if err := a.beatComplete(first.Generation, first.Grants, k.ids); err != nil {
		k.Fatalf("heartbeat of a: %v", err)
	}
	k.until(2*k.patience, "a learns that all is complete", func() bool {
		return a.beatComplete(a.answer.Generation, a.answer.Grants, k.ids) == nil && a.answer.Complete
	})
	// It releases one shard and receives it again, but does not know of the new grant.
	given := a.answer.Grants[0].ID
	if err := a.beatComplete(a.answer.Generation, a.answer.Grants[1:], k.ids[1:]); err != nil {
		k.Fatalf("heartbeat of a: %v", err)
	}
	k.until(2*k.patience, "a receives again the shard that it released", func() bool {
		err := a.beatComplete(first.Generation, first.Grants, k.ids)
		if err == nil && a.answer.Complete {
			k.Fatalf("a does not know that shard %s was granted again, and its answer has Complete set", given)
		}
		return err == nil && a.all() && a.answer.Generation > first.Generation
	})
	k.until(2*k.patience, "a has completed that shard, too, and its answer has Complete set", func() bool {
		return a.beatComplete(a.answer.Generation, a.answer.Grants, k.ids) == nil && a.answer.Complete
	})
}

// A service with Push wakes a member when another member completes the last shard.
func finishPush(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	a, b := k.joinPair()
	a.complete()
	k.answered(a)
	k.during(k.slack, "b has not completed its shards", notComplete(a, b), a, b)
	wake := k.watch(ctx, a)
	k.quiet(wake)
	b.complete()
	k.answered(b)
	k.woken(k.patience, "all shards are complete, also those of b", wake)
	k.until(k.patience, "a and b learn that all is complete", allComplete(a, b), a, b)
}
