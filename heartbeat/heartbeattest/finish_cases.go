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

// do has a member's processors finish these shards, or all that it runs.
func (m *member) do(ids ...shardset.ID) {
	if ids == nil {
		ids = m.running()
	}
	for _, id := range ids {
		m.finish(id, shardset.OutcomeComplete)
	}
}

// allComplete is a condition: the newest answer of each member says that all is complete.
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

// notComplete is a condition: none of the newest answers does.
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

// Every member is told when every shard is done, and none before. What is done stays
// where it is.
func finishAll(k *kit) {
	a, b := k.pair()
	mine := a.running()
	a.do()
	b.do(b.running()[1:]...)
	k.during(k.patience, "one shard is not done, and no member learns that all are", notComplete(a, b), a, b)
	b.do()
	k.until(2*k.patience, "a and b learn that all is complete", allComplete(a, b), a, b)
	k.during(k.patience, "a and b learn so again", allComplete(a, b), a, b)
	if !granted(a.answer.Grants).equal(setOf(mine...)) {
		k.Errorf("a has done %v, and is granted %v", mine, a.answer.Grants)
	}
}

// A service says that all is done if it promises to, and never if it does not.
func finishPromised(k *kit) {
	a := k.together("a")[0]
	a.do()
	if k.info.Guarantees.Completion {
		k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
		return
	}
	k.during(k.patience, "a does not learn that all is complete", notComplete(a), a)
}

// A shard that is over is done.
func finishClosed(k *kit) {
	a := k.together("a")[0]
	k.end(k.ids[0], a)
	a.do(k.ids[1:]...)
	k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
}

// A member without a shard is told as well, and so is one that comes later.
func finishStandby(k *kit) {
	members := k.together("a", "b")
	for _, m := range members {
		m.do()
	}
	k.until(2*k.patience, "holder and standby learn that all is complete", allComplete(members...), members...)
	late := k.member("c")
	members = append(members, late)
	k.until(2*k.patience, "a late joiner learns so, too", allComplete(members...), members...)
}

// What a member has done that dies comes to the others, and is theirs to look at.
func finishExpired(k *kit) {
	a, b := k.pair()
	a.do()
	k.answered(a)
	a.die()
	b.do()
	k.until(k.expiry(), "b has the shards of a, which died", func() bool {
		if b.answer.Complete && len(b.running()) > 0 {
			k.Fatalf("b learns that all is complete, and runs %v", b.running())
		}
		return len(b.answer.Grants) == len(k.ids)
	}, b)
	k.during(k.patience, "b has not done a's shards, and does not learn that all are complete", notComplete(b), b)
	b.do()
	k.until(2*k.patience, "b learns that all is complete", allComplete(b), b)
}

// A new shard is not done.
func finishNewShard(k *kit) {
	a := k.together("a")[0]
	a.do()
	k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
	k.set(shards(len(k.ids) + 1))
	k.until(2*k.patience, "a has the new shard, and does not learn that it is complete", func() bool {
		return len(a.running()) == 1 && !a.answer.Complete
	}, a)
	a.do()
	k.until(2*k.patience, "a learns that all is complete", allComplete(a), a)
}

// What a member says of a shard does not count for a grant that it had not heard of.
func finishAgain(k *kit) {
	a := k.puppet("a")
	a.beatUntil("a has all shards", a.all)
	first := a.answer
	if err := a.report(first.Generation, first.Grants, k.ids); err != nil {
		k.Fatalf("heartbeat of a: %v", err)
	}
	k.until(2*k.patience, "a learns that all is complete", func() bool {
		return a.report(a.answer.Generation, a.answer.Grants, k.ids) == nil && a.answer.Complete
	})
	// It gives one up, and is granted it again, which it has not heard of.
	given := a.answer.Grants[0].ID
	if err := a.report(a.answer.Generation, a.answer.Grants[1:], k.ids[1:]); err != nil {
		k.Fatalf("heartbeat of a: %v", err)
	}
	k.until(2*k.patience, "a is granted again what it gave up", func() bool {
		err := a.report(first.Generation, first.Grants, k.ids)
		if err == nil && a.answer.Complete {
			k.Fatalf("a has not heard that shard %s was granted again, and is told that it is done", given)
		}
		return err == nil && a.all() && a.answer.Generation > first.Generation
	})
	k.until(2*k.patience, "a has done that, too, and is told", func() bool {
		return a.report(a.answer.Generation, a.answer.Grants, k.ids) == nil && a.answer.Complete
	})
}

// Time and others bring this answer, so a service that can push tells at once.
func finishPush(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	a, b := k.pair()
	a.do()
	k.answered(a)
	k.during(k.slack, "b is at work", notComplete(a, b), a, b)
	wake := k.watch(ctx, a)
	k.quiet(wake)
	b.do()
	k.answered(b)
	k.woken(k.patience, "all is done, b's shards too", wake)
	k.until(k.patience, "a and b learn that all is complete", allComplete(a, b), a, b)
}
