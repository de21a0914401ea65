package heartbeattest

import (
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func fenceCases() []testCase {
	fenced := heartbeat.Guarantees{FencedCommit: true}
	return []testCase{
		{name: "Fence/owner", store: true, run: fenceOwner},
		{name: "Fence/in transfer", store: true, run: fenceTransfer},
		{name: "Fence/unrelated join", store: true, shards: shards(12), run: fenceUnrelated},
		{name: "Fence/after hand-over", needs: fenced, store: true, run: fenceHandOver},
		{name: "Fence/after expiry", needs: fenced, store: true, run: fenceExpired},
		{name: "Fence/other members", needs: fenced, store: true, run: fenceOthers},
		{name: "Fence/load by others", store: true, run: fenceLoad},
	}
}

// All commits of the owner are accepted.
func fenceOwner(k *kit) {
	a := k.join("a")[0]
	for i := range 5 {
		for _, id := range k.ids {
			a.commit(id, processor.Position(fmt.Sprintf("%s at %d", id, i)))
			a.beat()
		}
	}
	for _, id := range k.ids {
		a.beat()
		a.stored(id, processor.Position(fmt.Sprintf("%s at 4", id)))
	}
}

// The owner's commits to a revoked shard are accepted until it releases the shard. The next owner
// continues from the last of them.
func fenceTransfer(k *kit) {
	a := k.join("a")[0]
	b := k.member("b")
	a.stuck = true
	k.until(k.patience, "shards of a are revoked", revoked(a), b, a)
	n := 0
	k.during(k.ttl/2, "a lists all shards", func() bool {
		n++
		for id := range a.draining {
			a.commit(id, processor.Position(fmt.Sprint("drained ", n)))
		}
		return len(b.running()) == 0
	}, a, b)
	a.returnAll()
	k.until(k.patience, "b has its share", k.settled(a, b), a, b)
	for _, id := range b.running() {
		if got, want := b.started(id).resume, processor.Position(fmt.Sprint("drained ", n)); got != want {
			k.Errorf("b starts shard %s from %q, a's last commit was %q", id, got, want)
		}
	}
}

// The owner's commits are accepted while other members join, leave or crash.
func fenceUnrelated(k *kit) {
	a := k.join("a")[0]
	n := 0
	commit := func() { // two at a time, so that a sends heartbeats often enough
		running := a.running()
		for range min(2, len(running)) {
			n++
			a.commit(running[n%len(running)], processor.Position(fmt.Sprint(n)))
		}
	}
	members := []*member{a}
	for _, name := range []string{"b", "c", "d"} {
		m := k.member(name)
		m.beat() // a does not know of it yet
		commit()
		members = append(members, m)
		k.until(2*k.patience, name+" has its share", func() bool {
			commit()
			a.beat()
			commit()
			return k.settled(members...)()
		}, members[1:]...)
	}
	for _, m := range members[1:] {
		if k.info.Guarantees.Leave {
			m.leave()
		} else {
			m.crash()
		}
		commit()
	}
	k.until(k.expiry()+k.patience, "a has all shards again", func() bool {
		commit()
		return holding(a, k.ids...)()
	}, a)
}

// A former owner's commits are refused and change nothing.
func fenceHandOver(k *kit) {
	a := k.join("a")[0]
	owners := map[shardset.ID]processor.Owner{}
	for _, id := range a.running() {
		a.beat()
		owners[id] = a.owner(id)
		a.commit(id, "by a")
	}
	b := k.member("b")
	k.until(2*k.patience, "a and b share the shards", k.settled(a, b), a, b)
	for _, id := range b.running() {
		b.beat()
		a.refused("b has the shard", owners[id], "by a, late")
		b.stored(id, "by a")
		b.commit(id, "by b")
		a.refused("b has the shard", owners[id], "by a, later")
		b.stored(id, "by b")
	}
}

// The commits of an owner whose lease has ended are refused once another member has the shard.
func fenceExpired(k *kit) {
	a, b := k.joinPair()
	owners := map[shardset.ID]processor.Owner{}
	for _, id := range a.running() {
		a.beat()
		b.beat()
		owners[id] = a.owner(id)
		a.commit(id, "by a")
	}
	a.crash()
	k.until(k.expiry(), "b has the shards of a, which has stopped", holding(b, k.ids...), b)
	for id, o := range owners {
		b.beat()
		a.refused("the lease has ended", o, "by a, late")
		b.stored(id, "by a")
		b.commit(id, "by b")
		a.refused("the lease has ended", o, "by a, later")
		b.stored(id, "by b")
	}
}

// A commit by another member, or by an unknown one, is refused even under the right epoch.
func fenceOthers(k *kit) {
	a, b := k.joinPair()
	for _, who := range []*member{b, k.member("nobody")} {
		for _, id := range a.running() {
			a.beat()
			b.beat()
			a.commit(id, "by a")
			o := a.owner(id)
			o.Member, o.Instance = who.name, who.tracker.Instance()
			who.refused("it is a's shard", o, "by another")
			a.stored(id, "by a")
		}
	}
}

// If a member loads the position of another member's shard, the store returns it or refuses. In
// both cases the owner keeps the shard.
func fenceLoad(k *kit) {
	a, b := k.joinPair()
	for _, id := range a.running() {
		a.beat()
		b.beat()
		a.commit(id, "by a")
		o := a.owner(id)
		o.Member, o.Instance = b.name, b.tracker.Instance()
		p, _, err := b.load(o)
		if !errors.Is(err, processor.ErrNotOwner) && (err != nil || p != "by a") {
			k.Errorf("b loads shard %s of a: %q, %v; want %q or an error that matches ErrNotOwner", id, p, err, "by a")
		}
		if k.info.Guarantees.FencedCommit {
			a.commit(id, "by a, again")
		}
	}
}
