package group_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func TestNewNeedsATTL(t *testing.T) {
	for _, ttl := range []time.Duration{0, -time.Second, group.MaxTTL + 1, math.MaxInt64} {
		if _, err := group.New(group.Config{TTL: ttl}); err == nil {
			t.Errorf("New with TTL %v gave no error", ttl)
		}
	}
}

func TestSetShardsTakesTheListWhole(t *testing.T) {
	r := newRig(t, 2)
	r.peer("a").say()
	err := r.g.SetShards(r.now, []shardset.Shard{
		child(1), child(1), child(-3), child(4, 5), child(5, 4), child(6, 6), child(7, 4),
	})
	if !errors.Is(err, shardset.ErrInvalidID) {
		t.Errorf("the error is %v; want it to match ErrInvalidID", err)
	}
	for _, want := range []string{"1 is listed twice", `"-3"`, "4 is its own", "5 is its own", "6 is its own"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v; want it to say %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "7 is its own") {
		t.Errorf("the error is %v; 7 only descends from a cycle", err)
	}
	r.check()
	r.want("a@1 a@1")
}

func TestShardsComeAndGo(t *testing.T) {
	r := newRig(t, 2)
	a := r.peer("a")
	a.say()
	r.set(list(4)...)
	r.want("a@1 a@1 a@1 a@1")
	a.say()
	generation := r.g.Generation()
	r.set(child(3), child(1))
	r.want("a@1 a@1")
	if r.g.Generation() == generation {
		t.Error("shards disappeared and the generation is the same")
	}
	a.say()
	if len(a.told) != 2 {
		t.Errorf("a is told %v, want shards 1 and 3", a.told)
	}
}

// A shard that is taken out and put back is not new: its epochs go on rising, and
// nobody gets it before its holder has let go of it.
func TestShardTakenOutAndPutBack(t *testing.T) {
	t.Run("free", func(t *testing.T) {
		r := newRig(t, 1)
		a := r.peer("a")
		a.say()
		r.wait(rigTTL)
		r.set()
		r.set(list(1)...)
		r.peer("b").say()
		r.want("b@2")
	})
	t.Run("held", func(t *testing.T) {
		r := newRig(t, 2)
		a, b := r.peer("a"), r.peer("b")
		a.say()
		b.say()
		r.settle(a, b)
		r.want("a@1 b@2")
		r.set(child(0))
		a.say()
		b.say()
		r.set(list(2)...)
		r.want("a@1 b@2") // b has not let go
		a.say()
		r.want("a@1 b@2")
		b.say()
		r.want("a@1 b@2")
	})
	t.Run("released meanwhile", func(t *testing.T) {
		r := newRig(t, 2)
		a, b := r.peer("a"), r.peer("b")
		a.say()
		b.say()
		r.settle(a, b)
		r.set(child(0))
		b.say()
		b.release()
		b.say()
		r.set(list(2)...)
		r.want("a@1 b@3")
	})
	t.Run("its holder died meanwhile", func(t *testing.T) {
		r := newRig(t, 1)
		a, b := r.peer("a"), r.peer("b")
		a.say()
		r.set()
		r.wait(rigTTL)
		r.set(list(1)...)
		b.say()
		r.want("b@2")
	})
	t.Run("its holder was replaced meanwhile", func(t *testing.T) {
		r := newRig(t, 1)
		a := r.peer("a")
		a.say()
		r.set()
		fresh := r.peer("a")
		fresh.beat.Instance = 2
		fresh.say()
		r.set(list(1)...)
		r.want("a@2")
	})
}

func TestLeave(t *testing.T) {
	r := newRig(t, 4)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	r.want("a@1 a@1 b@2 b@2")
	b.release(2, 3)
	b.leave()
	r.want("a@1 a@1 a@3 a@3")
	b.leave() // nothing left to leave
	r.want("a@1 a@1 a@3 a@3")
	b.beat.Held = nil
	if err := b.try(); !errors.Is(err, shardset.ErrEvicted) {
		t.Errorf("a heartbeat after leaving: %v, want ErrEvicted", err)
	}
}

func TestLeaveWithADeafShard(t *testing.T) {
	r := newRig(t, 4)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	b.release(2) // shard 3 does not end
	b.leave()
	r.want("a@1 a@1 a@3 b>a@2")
	r.wait(rigTTL / 2)
	a.say()
	r.want("a@1 a@1 a@3 b>a@2")
	r.wait(rigTTL / 2) // b's lease ends
	r.want("a@1 a@1 a@3 a@3")
}

// A member that leaves gives away each shard as it comes free, for good: it is granted
// nothing more, not even what it has just held.
func TestALeavingMemberTakesNothing(t *testing.T) {
	r := newRig(t, 4)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	r.want("a@1 a@1 b@2 b@2")
	b.beat.Leaving = true
	b.release(2)
	b.say()
	r.want("a@1 a@1 a@3 b>a@2")
	b.release(3)
	b.say()
	r.want("a@1 a@1 a@3 a@3")
	a.say()
	b.say()
	r.want("a@1 a@1 a@3 a@3")
}

// What a leaving member was granted and had not heard of is given up as well.
func TestALeavingMemberGivesUpWhatItDidNotHearOf(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	a.say()
	a.release(1)
	a.say()
	r.want("a@1 b@2") // and b was not told
	b.beat.Leaving = true
	b.say()
	r.want("a@1 a@3")
}

// The first heartbeat of a member that has left again may come after its leave call,
// and does not make it a member.
func TestLateJoinAfterLeave(t *testing.T) {
	r := newRig(t, 2)
	a := r.peer("a")
	late := a.beat
	late.Seq = 1
	a.beat.Seq = 1
	a.leave()
	if _, err := r.g.Beat(r.now, late); !errors.Is(err, shardset.ErrEvicted) {
		t.Errorf("a heartbeat from before the leave call: %v, want ErrEvicted", err)
	}
	r.want("-@0 -@0")
}

func TestLastMemberLeavesWithADeafShard(t *testing.T) {
	r := newRig(t, 2)
	a := r.peer("a")
	a.say()
	a.release(0)
	a.leave()
	r.want("-@1 a@1")
	b := r.peer("b")
	b.say()
	r.want("b@2 a>b@1")
	r.wait(rigTTL)
	r.want("-@2 -@1")
}

func TestLeaveDuringTransfer(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	a.release(1)
	a.leave() // shard 1 to the member that it was promised; shard 0 is deaf
	r.want("a>b@1 b@2")
}

func TestTakeChanged(t *testing.T) {
	r := newRig(t, 4)
	a, b, c := r.peer("a"), r.peer("b"), r.peer("c")
	take := func(want ...string) {
		t.Helper()
		if got := r.g.TakeChanged(); !slices.Equal(got, want) {
			t.Errorf("changed: %v, want %v", got, want)
		}
	}
	a.say()
	take() // its own answer told it
	b.say()
	take("a") // revoked
	take()
	a.say()
	a.release()
	a.say()
	take("b") // granted
	b.say()
	c.say()
	r.g.TakeChanged()
	b.release(2, 3)
	b.leave()
	take("c")
}

func TestNextEvent(t *testing.T) {
	r := newRig(t, 1)
	if got := r.g.NextEvent(); !got.IsZero() {
		t.Errorf("an empty group has something to do at %v", got)
	}
	a := r.peer("a")
	a.say()
	end := r.now.Add(rigTTL)
	if got := r.g.NextEvent(); !got.Equal(end) {
		t.Errorf("the next event is at %v, want %v", got, end)
	}
	r.wait(time.Second)
	a.say()
	if got := r.g.NextEvent(); got.IsZero() || got.After(end.Add(time.Second)) {
		t.Errorf("the next event is at %v, want none later than %v", got, end.Add(time.Second))
	}
	r.wait(rigTTL)
	if got := r.g.NextEvent(); !got.IsZero() {
		t.Errorf("a group without members has something to do at %v", got)
	}
	r.g.Recover(r.now)
	if got := r.g.NextEvent(); !got.Equal(r.now.Add(rigTTL)) {
		t.Errorf("a recovering group has something to do at %v, want %v", got, r.now.Add(rigTTL))
	}
}

func TestSnapshotSharesNothing(t *testing.T) {
	r := newRig(t, 1)
	r.peer("a").say()
	snap := r.g.Snapshot()
	snap.Shards[0].Owner, snap.Members[0].Name = "x", "x"
	r.want("a@1")
	if got := r.g.Snapshot().Members[0]; got.Name != "a" || got.Held != 1 || got.Weight != 1 || got.Instance != 1 {
		t.Errorf("the member is %+v", got)
	}
}

// A list that changes nothing for a member is no news for it: a service that polls
// its list of shards must not make the whole group beat each time.
func TestSameListIsNoNews(t *testing.T) {
	r := newRig(t, 4)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	r.g.TakeChanged()
	r.set(list(4)...)
	if got := r.g.TakeChanged(); len(got) != 0 {
		t.Errorf("after the same list again %v are to be told, want nobody", got)
	}
	r.set(list(3)...)
	if got := r.g.TakeChanged(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("without shard 3 %v are to be told, want b", got)
	}
}

// A process that came late jumps ahead of the one that has the name, so far that the
// other cannot arrive at its number, and so at its fencing token, by losing leases.
func TestNewcomerAndExpiredNeverShareAToken(t *testing.T) {
	r := newRig(t, 1)
	tracker := func(instance uint64) *shardset.Tracker {
		return shardset.NewTracker(shardset.TrackerConfig{Member: "same", Instance: instance, Interval: time.Second, DrainTimeout: time.Second})
	}
	beat := func(tr *shardset.Tracker) error {
		report := tr.Beat(r.now)
		a, err := r.g.Beat(r.now, report)
		r.check()
		if err == nil {
			tr.Accepted(r.now, report.Seq, a)
		}
		return err
	}
	old, late := tracker(7), tracker(3) // the second one's clock is behind
	if err := beat(old); err != nil {
		t.Fatal(err)
	}
	var replaced *shardset.ReplacedError
	if err := beat(late); !errors.As(err, &replaced) {
		t.Fatalf("the newcomer got %v, want a ReplacedError", err)
	}
	late.Replaced(r.now, 1, replaced.Newest)
	if err := beat(late); err != nil {
		t.Fatal(err)
	}
	old.LeaseLost(r.now)
	if err := beat(old); !errors.Is(err, shardset.ErrReplaced) {
		t.Errorf("the older process, as instance %d, got %v, want ErrReplaced: the newer one is %d", old.Instance(), err, late.Instance())
	}
}

// What a leaving member was promised goes to somebody who stays.
func TestPromisesToALeavingMemberAreVoid(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say() // promised one of the two
	a.say()
	a.beat.Leaving, b.beat.Leaving = true, true
	a.say()
	b.say()
	a.release(0, 1)
	a.say()
	r.want("-@1 -@1")
	c := r.peer("c")
	c.say()
	r.want("c@2 c@2")
}

// Numbers at the end of their range would be believed, and wrap around.
func TestNumbersOutOfRange(t *testing.T) {
	r := newRig(t, 1)
	for _, report := range []shardset.Heartbeat{
		{Member: "a", Seq: 1, Generation: 1 << 63},
		{Member: "a", Seq: 1, Held: []shardset.Grant{{ID: shardset.ID{Number: 0}, Epoch: 1 << 63}}},
	} {
		if _, err := r.g.Beat(r.now, report); err == nil {
			t.Errorf("the report %+v was taken", report)
		}
		r.check()
	}
}

// A long line of splits is checked once, not once for each of its members.
func TestLongAncestry(t *testing.T) {
	const n = 20_000
	chain := make([]shardset.Shard, n)
	for i := range chain {
		chain[i] = child(i)
		if i > 0 {
			chain[i] = child(i, i-1)
		}
	}
	newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, chain...)
}
