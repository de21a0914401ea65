package group_test

import (
	"errors"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// A shard that is closed from outside leaves its owner's answers, and its children go on. It
// is the owner's again if it is reopened before the owner has released it.
func TestClose(t *testing.T) {
	for _, c := range []struct {
		name     string
		between  func(r *rig, a *peer)
		reopened string
	}{
		{"while the owner runs it", func(*rig, *peer) {}, "a@1 a@1"},
		{"when the owner has released it", func(_ *rig, a *peer) { a.release(); a.say() }, "a@2 a@1"},
		{"when the owner has expired", func(r *rig, _ *peer) { r.wait(rigTTL) }, "-@1 wait@1"},
		{"when the owner has come as a new instance that reports it", func(_ *rig, a *peer) {
			a.beat.Instance, a.beat.Seq, a.beat.Generation = 2, 0, 0
			a.say()
		}, "a@2 a@2"},
		{"when the list was without it for a while", func(r *rig, a *peer) {
			r.set(child(1, 0))
			a.say()
			r.set(child(0), child(1, 0))
		}, "a@1 a@1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, child(0), child(1, 0))
			a := r.peer("a")
			a.say()
			a.say()
			r.want("a@1 wait@0")
			r.g.Close(r.now, id(0))
			r.check()
			r.want("closed@1 a@1")
			if err := r.g.Fence(r.now, group.Token{Member: "a", ID: id(0), Epoch: 1}); !errors.Is(err, shardset.ErrNotOwner) {
				t.Errorf("a commit of the closed shard: %v, want %v", err, shardset.ErrNotOwner)
			}
			a.say()
			if len(a.told) != 1 || a.told[0].ID != id(1) {
				t.Errorf("the owner is answered with %v", a.told)
			}
			c.between(r, a)
			r.g.Close(r.now, id(0)) // again: nothing happens
			r.g.Close(r.now, id(9))
			r.check()
			r.g.Reopen(r.now, id(0))
			r.check()
			r.want(c.reopened)
		})
	}
}

// A member that expires while it runs a closed shard leaves nothing behind.
func TestCloseAndExpire(t *testing.T) {
	r := newRig(t, 1)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	r.g.Close(r.now, id(0))
	r.check()
	r.wait(rigTTL / 2)
	b.say()
	r.wait(rigTTL / 2)
	r.want("closed@1")
	r.g.Reopen(r.now, id(0))
	r.check()
	r.want("b@2")
}

// A group that becomes an ordered one leaves shards to their owners: only free ones wait.
func TestSetOrdered(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL}, child(0), child(1, 0))
	a := r.peer("a")
	a.say()
	a.say()
	r.want("a@1 a@1")
	before := r.g.Changes()
	r.g.SetOrdered(r.now, true)
	r.check()
	if r.g.Changes() == before || !r.g.State().Ordered {
		t.Error("a store would not see that the group is an ordered one")
	}
	r.want("a@1 a@1")
	a.release(1)
	a.say()
	r.want("a@1 wait@1")
	r.g.SetOrdered(r.now, false)
	r.check()
	r.want("a@1 a@2")
}

// Members whose heartbeats carry no numbers cannot show that they have seen a new TTL: it
// counts at once, from their last heartbeats, unless others have to show it.
func TestTTLOfUnnumberedMembers(t *testing.T) {
	for _, numbered := range []bool{false, true} {
		r := newRig(t, 1)
		if _, err := r.beat("a", 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		if numbered {
			r.peer("b").say()
		}
		r.wait(rigTTL / 2)
		if err := r.g.SetTTL(r.now, rigTTL/4); err != nil {
			t.Fatal(err)
		}
		r.check()
		if left := r.g.Len() == 0; left == numbered {
			t.Errorf("the member has expired: %v; another one sends numbers: %v", left, numbered)
		}
	}
}

// A former member works by the TTL of the deleted group, whatever becomes of the new one's.
func TestTTLBesideFormerMembers(t *testing.T) {
	r := newRig(t, 1)
	if _, err := r.beat("a", 5, 1, 0); err != nil {
		t.Fatal(err)
	}
	r.remake(group.Config{TTL: rigTTL}, list(1)...)
	if err := r.g.SetTTL(r.now, rigTTL/4); err != nil {
		t.Fatal(err)
	}
	r.check()
	r.wait(rigTTL / 2)
	if r.g.Len() != 1 {
		t.Error("the former member expires before its lease ends")
	}
	r.wait(rigTTL / 2)
	if r.g.Len() != 0 {
		t.Error("the former member does not expire")
	}
}

// A shard that a former member may run is in transfer from it as soon as it is in the list, also
// while there are no members.
func TestFormerMemberOfARestoredShard(t *testing.T) {
	r := newRig(t, 2)
	if _, err := r.beat("a", 5, 1, 0); err != nil {
		t.Fatal(err)
	}
	r.remake(group.Config{TTL: rigTTL}, list(1)...)
	r.set(list(2)...)
	r.wantStates("the list is whole again", "transfer a", "transfer a")
}

// A shard that is reopened while a member of the deleted group before this one may still run it
// is in transfer from that member.
func TestReopenFromAFormerMember(t *testing.T) {
	r := newRig(t, 1)
	a := r.peer("a")
	a.say()
	a.say()
	r.want("a@1")
	r.remake(group.Config{TTL: rigTTL}, child(0))
	r.check()
	r.g.Close(r.now, id(0))
	r.check()
	r.g.Reopen(r.now, id(0))
	r.check()
}
