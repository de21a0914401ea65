package group_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
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
		t.Errorf("the dead holder beats: %v, want ErrEvicted", err)
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
