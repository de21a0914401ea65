package group_test

import (
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// finish reports shards as read to their end, and lets the member take the answer.
func (p *peer) finish(shards ...int) {
	p.r.t.Helper()
	for _, n := range shards {
		p.beat.Closed = append(p.beat.Closed, id(n))
	}
	p.say()
	p.beat.Closed = nil
	p.release()
}

func TestOrderedShardsWaitForAllAncestors(t *testing.T) {
	for _, c := range []struct {
		name   string
		shards []shardset.Shard
		ends   []int    // one after the other
		want   []string // before, and after each end
	}{
		{"split", []shardset.Shard{child(0), child(1, 0), child(2, 0)}, []int{0},
			[]string{"a@1 wait@0 wait@0", "closed@1 a@1 a@1"}},
		{"merge", []shardset.Shard{child(0), child(1), child(2, 0, 1)}, []int{1, 0},
			[]string{"a@1 a@1 wait@0", "a@1 closed@1 wait@0", "closed@1 closed@1 a@1"}},
		{"chain", []shardset.Shard{child(0), child(1, 0), child(2, 1)}, []int{0, 1, 2},
			[]string{"a@1 wait@0 wait@0", "closed@1 a@1 wait@0", "closed@1 closed@1 a@1", "closed@1 closed@1 closed@1"}},
		{"the parent has expired", []shardset.Shard{child(5, 1), child(6, 5)}, []int{5},
			[]string{"a@1 wait@0", "closed@1 a@1"}},
		{"a parent of two has expired", []shardset.Shard{child(1), child(5, 0, 1)}, []int{1},
			[]string{"a@1 wait@0", "closed@1 a@1"}},
		{"listed before its parent", []shardset.Shard{child(1, 7), child(7)}, []int{7},
			[]string{"wait@0 a@1", "a@1 closed@1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, c.shards...)
			a := r.peer("a")
			a.say()
			r.want(c.want[0])
			for i, n := range c.ends {
				a.finish(n)
				r.want(c.want[i+1])
			}
		})
	}
}

func TestUnorderedShardsDoNotWait(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL}, child(0), child(1, 0))
	r.peer("a").say()
	r.want("a@1 a@1")
}

// A shard that waits when its parent leaves the list must not wait for ever.
func TestParentExpiresWhileTheChildWaits(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, child(0), child(1, 0))
	a := r.peer("a")
	a.say()
	r.want("a@1 wait@0")
	r.set(child(1, 0))
	r.want("a@1")
}

func TestSplitDuringTransfer(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, child(0), child(1))
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.set(child(0), child(1), child(2, 1))
	r.want("a@1 a>b@1 wait@0")
	a.finish(1) // the end was reached while it drained
	r.want("a@1 closed@1 b@1")
}

func TestReopen(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, child(0), child(1, 0), child(2, 1))
	a := r.peer("a")
	a.say()
	a.finish(0)
	r.want("closed@1 a@1 wait@0")
	r.g.Reopen(r.now, id(1)) // not closed: left alone
	r.g.Reopen(r.now, id(9))
	r.want("closed@1 a@1 wait@0")
	r.g.Reopen(r.now, id(0))
	r.check()
	r.want("a@2 a@1 wait@0")
	a.say()
	a.finish(1)
	r.want("a@2 closed@1 wait@0") // its grandparent is open again
	a.finish(0)
	r.want("closed@2 closed@1 a@1")
}

// A member repeats that a shard has ended until it is answered. After a Reopen that
// is old news.
func TestReopenOutlivesARepeatedEnd(t *testing.T) {
	r := newRig(t, 1)
	a := r.peer("a")
	a.say()
	lost := a.beat
	lost.Seq, lost.Closed = 10, []shardset.ID{id(0)}
	if _, err := r.g.Beat(r.now, lost); err != nil {
		t.Fatal(err)
	}
	r.want("closed@1")
	r.g.Reopen(r.now, id(0))
	r.want("a@2")
	lost.Seq++
	if _, err := r.g.Beat(r.now, lost); err != nil {
		t.Fatal(err)
	}
	r.want("a@2")
}

func TestEndOfSomebodyElsesShard(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	b.finish(0, 7)
	r.want("a@1 b@2")
}
