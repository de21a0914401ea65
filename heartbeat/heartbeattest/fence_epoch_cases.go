package heartbeattest

import (
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func fenceEpochCases() []testCase {
	epochs := heartbeat.Guarantees{FencedCommit: true, Epochs: true}
	return []testCase{
		{name: "Fence/restart", store: true, run: fenceRestart},
		{name: "Fence/old epoch", needs: epochs, store: true, run: fenceOldEpoch},
		{name: "Fence/epoch to come", needs: epochs, store: true, run: fenceFutureEpoch},
		{name: "Fence/load by former owner", needs: epochs, store: true, run: fenceFormerLoad},
	}
}

// A restarted process continues from the last accepted commit.
func fenceRestart(k *kit) {
	a := k.join("a")[0]
	for _, id := range k.ids {
		a.beat()
		a.commit(id, "before")
	}
	a.crash()
	again := k.member("a")
	k.until(k.patience, "the new process has all shards", holding(again, k.ids...), again)
	for _, id := range k.ids {
		if r := again.started(id); r.resume != "before" || !r.found {
			k.Errorf("the new process starts shard %s from %q (found: %v), want %q", id, r.resume, r.found, "before")
		}
	}
}

// A commit under an earlier epoch is refused, even if the same process owns the shard now.
func fenceOldEpoch(k *kit) {
	a := k.join("a")[0]
	owners := map[shardset.ID]processor.Owner{}
	for _, id := range a.running() {
		a.beat()
		owners[id] = a.owner(id)
		a.commit(id, "before")
	}
	a.crash()
	again := k.member("a")
	k.until(k.patience, "the new process has all shards", holding(again, k.ids...), again)
	for id, o := range owners {
		again.beat()
		a.refused("the process has a successor", o, "late")
		o.Instance = again.tracker.Instance()
		again.refused("the epoch is that of an earlier grant", o, "late")
		again.stored(id, "before")
		again.commit(id, "after")
		again.refused("the epoch is that of an earlier grant", o, "later")
		again.stored(id, "after")
	}
}

// A commit under an epoch that was not granted yet is refused.
func fenceFutureEpoch(k *kit) {
	a := k.join("a")[0]
	for _, id := range k.ids {
		a.beat()
		a.commit(id, "before")
		o := a.owner(id)
		o.Lease.Epoch += 1000
		a.refused("that epoch was not granted yet", o, "early")
		a.stored(id, "before")
	}
}

// A former owner that loads the position late is refused, because it must not start.
func fenceFormerLoad(k *kit) {
	a := k.join("a")[0]
	owners := map[shardset.ID]processor.Owner{}
	for _, id := range a.running() {
		owners[id] = a.owner(id)
	}
	b := k.member("b")
	k.until(2*k.patience, "a and b share the shards", k.settled(a, b), a, b)
	for _, id := range b.running() {
		b.beat()
		b.commit(id, "by b")
		_, _, err := a.load(owners[id])
		k.refused("a's load of a shard that b has", err, processor.ErrNotOwner)
		b.commit(id, "by b, again")
	}
}
