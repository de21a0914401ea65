package group_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func TestWeights(t *testing.T) {
	r := newRig(t, 6)
	a, b := r.peer("a"), r.peer("b")
	b.beat.Weight = 2
	a.say()
	b.say()
	r.settle(a, b)
	r.want("a@1 a@1 b@2 b@2 b@2 b@2")
	b.beat.Weight = 1
	r.settle(b, a)
	r.want("a@1 a@1 b@2 b@2 b@2 a@3")
	b.beat.Weight = 0 // means 1
	r.settle(b, a)
	r.want("a@1 a@1 b@2 b@2 b@2 a@3")
	a.beat.Weight = 5
	r.settle(a, b)
	r.want("a@1 a@1 b@2 a@3 a@3 a@3")
}

func TestStandby(t *testing.T) {
	r := newRig(t, 2)
	a, b, c := r.peer("a"), r.peer("b"), r.peer("c")
	a.say()
	b.say()
	r.settle(a, b)
	c.say()
	r.settle(a, b, c)
	r.want("a@1 b@2")
	b.release(1)
	b.leave()
	r.want("a@1 c@3")
}

// A transfer whose next member goes ends where it began: the holder may be draining
// by now, and a new epoch would refuse its last commit.
func TestNextMemberDies(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.wait(rigTTL / 2)
	a.say()
	r.want("a@1 a>b@1")
	r.wait(rigTTL / 2) // b is gone
	r.want("a@1 a@1")
	a.say()
	r.want("a@1 a@1")
}

// A holder that drained for the member that died, and did not hear of its death, has
// released the shard all the same. It gets it afresh, and never under the old epoch:
// a commit of the run before may still be under way.
func TestNextMemberDiesWhileTheHolderDrains(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.wait(rigTTL / 2)
	a.say()
	a.release()
	r.wait(rigTTL / 2)
	r.want("a@1 a@1")
	a.say()
	r.want("a@1 a@2")
}

func TestNextMemberDiesAndAnotherIsThere(t *testing.T) {
	r := newRig(t, 3)
	a, b, c := r.peer("a"), r.peer("b"), r.peer("c")
	a.say()
	b.say()
	r.want("a@1 a@1 a>b@1")
	r.wait(rigTTL / 2)
	a.say()
	c.say()
	r.want("a@1 a>c@1 a>b@1")
	r.wait(rigTTL / 2) // b is gone; a may keep one of the two
	r.want("a@1 a>c@1 a@1")
}

func TestHolderDiesInTransfer(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	r.wait(rigTTL / 2)
	b.say()
	r.want("a@1 a>b@1")
	r.wait(rigTTL / 2)
	r.want("b@2 b@2")
	if err := a.try(); !errors.Is(err, shardset.ErrEvicted) {
		t.Errorf("a heartbeat of the expired holder returned %v, want ErrEvicted", err)
	}
}

func TestMemberLeavesAndRejoins(t *testing.T) {
	r := newRig(t, 4)
	a := r.peer("a")
	a.say()
	a.release(0, 1, 2, 3)
	a.leave()
	r.want("-@1 -@1 -@1 -@1")
	r.wait(time.Second)
	a.beat.Instance++
	a.say()
	r.want("a@2 a@2 a@2 a@2")
}

// A restarted process takes its own shards back at once, and nobody else moves.
func TestRestartUnderTheSameName(t *testing.T) {
	r := newRig(t, 9)
	a, b, c := r.peer("a"), r.peer("b"), r.peer("c")
	a.say()
	r.settle(a, b)
	r.settle(a, b, c)
	r.want("a@1 a@1 a@1 c@2 c@2 b@2 b@2 b@2 c@3")
	fresh := r.peer("b")
	fresh.beat.Instance = 2
	fresh.say()
	r.want("a@1 a@1 a@1 c@2 c@2 b@3 b@3 b@3 c@3")
}

// Of members that expire together, the first ones' shards do not go to those that are about
// to: who was heard lately gets them, and keeps to its share again when the others are heard.
func TestFreedShardsGoToWhoWasHeard(t *testing.T) {
	r := newRig(t, 12)
	a, b, c, d := r.peer("a"), r.peer("b"), r.peer("c"), r.peer("d")
	for _, p := range []*peer{a, b, c, d} {
		p.say()
	}
	r.settle(a, b, c, d)
	r.wait(rigTTL / 10)
	a.say() // b is heard no more from now on
	r.wait(rigTTL / 10)
	c.say() // nor c
	d.say()
	epochs := map[int]uint64{}
	for _, s := range r.g.Snapshot().Shards {
		epochs[s.ID.Number] = s.Epoch
	}
	for range 8 {
		r.wait(rigTTL / 10)
		a.say()
		d.say()
	}
	// b has expired.
	for _, s := range r.g.Snapshot().Shards {
		if s.Epoch > epochs[s.ID.Number] && s.Owner != "a" && s.Owner != "d" || s.Next != "" {
			t.Errorf("shard %d of b is %s by %q, for %q", s.ID.Number, s.State, s.Owner, s.Next)
		}
	}
	c.say()
	r.settle(a, c, d)
	held := map[string]int{}
	for _, s := range r.g.Snapshot().Shards {
		held[s.Owner]++
	}
	if held["a"] != 4 || held["c"] != 4 || held["d"] != 4 {
		t.Errorf("after c is heard again they have %v", held)
	}
}

// If nobody was heard lately, somebody has the shards all the same.
func TestNobodyWasHeard(t *testing.T) {
	r := newRig(t, 4)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	r.wait(rigTTL * 3 / 4)
	r.set(list(6)...)
	for _, s := range r.g.Snapshot().Shards {
		if s.State != group.StateHeld {
			t.Errorf("shard %d is %s", s.ID.Number, s.State)
		}
	}
}
