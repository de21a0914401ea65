package group_test

import (
	"errors"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func TestFence(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, child(0), child(1), child(2), child(3, 0), child(4))
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	a.finish(0)
	r.settle(a, b)
	c := r.peer("c")
	c.say()
	r.want("closed@1 a@1 b@2 a@1 b>c@2")
	for _, c := range []struct {
		name string
		tok  group.Token
		ok   bool
	}{
		{"owner", group.Token{Member: "a", Instance: 1, ID: id(1), Epoch: 1}, true},
		{"owner in transfer", group.Token{Member: "b", Instance: 1, ID: id(4), Epoch: 2}, true},
		{"owner who was told no epoch", group.Token{Member: "a", Instance: 1, ID: id(1)}, true},
		{"owner without an instance", group.Token{Member: "a", ID: id(1), Epoch: 1}, true},
		{"older epoch", group.Token{Member: "b", Instance: 1, ID: id(2), Epoch: 1}, false},
		{"epoch from nowhere", group.Token{Member: "a", Instance: 1, ID: id(1), Epoch: 2}, false},
		{"other instance", group.Token{Member: "a", Instance: 2, ID: id(1), Epoch: 1}, false},
		{"the next member, too early", group.Token{Member: "c", Instance: 1, ID: id(4), Epoch: 3}, false},
		{"other member", group.Token{Member: "b", Instance: 1, ID: id(1), Epoch: 1}, false},
		{"stranger", group.Token{Member: "x", ID: id(1), Epoch: 1}, false},
		{"a shard that is over", group.Token{Member: "a", Instance: 1, ID: id(0), Epoch: 1}, false},
		{"unknown shard", group.Token{Member: "a", Instance: 1, ID: id(9), Epoch: 1}, false},
	} {
		err := r.g.Fence(r.now, c.tok)
		if c.ok && err != nil || !c.ok && !errors.Is(err, shardset.ErrNotOwner) {
			t.Errorf("%s: Fence(%+v) = %v, want it to pass: %v", c.name, c.tok, err, c.ok)
		}
	}
	r.wait(rigTTL)
	if err := r.g.Fence(r.now, group.Token{Member: "a", Instance: 1, ID: id(1), Epoch: 1}); !errors.Is(err, shardset.ErrNotOwner) {
		t.Errorf("the owner of before its lease ended: %v, want ErrNotOwner", err)
	}
}

// The lease may have ended without anybody having called Expire.
func TestFenceLooksAtTheTime(t *testing.T) {
	r := newRig(t, 1)
	r.peer("a").say()
	tok := group.Token{Member: "a", Instance: 1, ID: id(0), Epoch: 1}
	if err := r.g.Fence(r.now.Add(rigTTL-1), tok); err != nil {
		t.Errorf("in time: %v", err)
	}
	if err := r.g.Fence(r.now.Add(rigTTL), tok); !errors.Is(err, shardset.ErrNotOwner) {
		t.Errorf("too late: %v, want ErrNotOwner", err)
	}
}

// Whatever others do, the owner's commit is taken for as long as it is the owner.
func TestUnrelatedChangesFenceNobody(t *testing.T) {
	r := newRig(t, 8)
	a, b, c := r.peer("a"), r.peer("b"), r.peer("c")
	tok := group.Token{Member: "a", Instance: 1, ID: id(0), Epoch: 1}
	a.say()
	for name, change := range map[string]func(){
		"join":   func() { b.say() },
		"more":   func() { r.settle(a, b) },
		"third":  func() { c.say(); r.settle(a, b, c) },
		"weight": func() { c.beat.Weight = 2; c.say(); r.settle(a, b, c) },
		"shards": func() { r.set(list(9)...) },
	} {
		change()
		if err := r.g.Fence(r.now, tok); err != nil {
			t.Errorf("after %s, generation %d: %v", name, r.g.Generation(), err)
		}
	}
	b.release(1, 2, 3, 4, 5, 6, 7, 8)
	b.leave()
	if err := r.g.Fence(r.now, tok); err != nil {
		t.Errorf("after a leave: %v", err)
	}
}
