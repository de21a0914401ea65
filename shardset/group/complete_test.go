package group_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// marked lists the shards that are marked as done, and whether the group is finished.
func (r *rig) marked(want string) {
	r.t.Helper()
	snap := r.g.Snapshot()
	var done []int
	for _, s := range snap.Shards {
		if s.Complete {
			done = append(done, s.ID.Number)
		}
	}
	if got := fmt.Sprint(done) + complete(snap.Complete); got != want {
		r.t.Errorf("complete are %s, want %s: %s", got, want, r.table())
	}
}

// changed checks who is to be woken.
func (r *rig) changed(want ...string) {
	r.t.Helper()
	if got := r.g.TakeChanged(); !slices.Equal(got, want) {
		r.t.Errorf("the answers of %q have changed, want %q", got, want)
	}
}

// workers are two members that hold two shards each.
func workers(t *testing.T) (r *rig, a, b *peer) {
	t.Helper()
	r = newRig(t, 4)
	a, b = r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	r.want("a@1 a@1 b@2 b@2")
	r.g.TakeChanged()
	return r, a, b
}

// Everybody is told at the two edges, and nobody in between.
func TestFinishedIsTold(t *testing.T) {
	r, a, b := workers(t)
	generation := r.g.Generation()
	a.done(1, 0) // in no order
	a.say()
	b.done(2)
	b.say()
	r.marked("[0 1 2]")
	r.changed()
	if a.beat.Complete[0] != id(1) {
		t.Errorf("the report was sorted in place: %v", a.beat.Complete)
	}
	b.done(2, 3)
	b.say()
	r.marked("[0 1 2 3], complete")
	r.changed("a") // b was answered
	if !b.complete || a.complete {
		t.Errorf("a was told %v and b %v, want b alone", a.complete, b.complete)
	}
	a.say()
	b.say()
	r.changed()
	if !a.complete || r.g.Generation() != generation {
		t.Errorf("a was told %v; the generation went from %d to %d", a.complete, generation, r.g.Generation())
	}
	b.done(2)
	b.say()
	r.marked("[0 1 2]")
	r.changed("a")
	if b.complete {
		t.Error("b takes a shard back, and the group is finished all the same")
	}
}

// A late joiner, and a standby, are told with their first answer.
func TestStandbyIsTold(t *testing.T) {
	r := newRig(t, 1)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	a.done(0)
	a.say()
	b.say()
	if !b.complete || len(b.told) != 0 {
		t.Errorf("b is told %v and %v, want nothing and that all is done", b.told, b.complete)
	}
	a.done()
	a.say()
	r.changed("b")
}

func TestAnEmptyGroupIsNotFinished(t *testing.T) {
	r := newRig(t, 0)
	a := r.peer("a")
	a.say()
	r.marked("[]")
	r.set(list(1)...)
	a.say()
	a.done(0)
	a.say()
	r.marked("[0], complete")
	r.set()
	r.marked("[]")
	if r.g.TakeChanged() == nil {
		t.Error("the last shard is gone, and nobody is told")
	}
}

// What takes the mark from a shard, and what does not.
func TestTheMarkBelongsToTheGrant(t *testing.T) {
	for _, tc := range []struct {
		name  string
		event func(r *rig, a, b *peer)
		want  string
	}{
		{"another heartbeat", func(_ *rig, a, _ *peer) { a.say() }, "[0 1 2 3], complete"},
		{"omitted from Done", func(_ *rig, a, _ *peer) { a.done(1); a.say() }, "[1 2 3]"},
		{"given up", func(_ *rig, a, _ *peer) { a.release(0); a.say() }, "[1 2 3]"},
		{"given up, and said to be done", func(_ *rig, a, _ *peer) { a.release(0, 1); a.say() }, "[2 3]"},
		{"its member left", func(_ *rig, a, _ *peer) { a.release(0, 1); a.done(); a.leave() }, "[2 3]"},
		{"its member leaves and still lists one", func(_ *rig, a, _ *peer) { a.release(0); a.done(); a.leave() }, "[2 3]"},
		{"its member died", func(r *rig, _, b *peer) { r.wait(rigTTL / 2); b.say(); r.wait(rigTTL / 2) }, "[2 3]"},
		{"a new process of the name", func(r *rig, a, _ *peer) { a.beat.Instance, a.beat.Seq = 2, 0; a.done(); a.say() }, "[2 3]"},
		{"a new process that lists what it had", func(r *rig, a, _ *peer) {
			a.beat.Instance, a.beat.Seq, a.beat.Generation = 2, 0, 0
			a.say()
		}, "[2 3]"},
		{"one more shard", func(r *rig, _, _ *peer) { r.set(list(5)...) }, "[0 1 2 3]"},
		{"one less", func(r *rig, _, _ *peer) { r.set(list(3)...) }, "[0 1 2], complete"},
		{"out and back", func(r *rig, _, _ *peer) { r.set(list(3)...); r.set(list(4)...) }, "[0 1 2]"},
		{"out, back and said again", func(r *rig, _, b *peer) { r.set(list(3)...); r.set(list(4)...); b.say() }, "[0 1 2 3], complete"},
		{"in transfer", func(r *rig, _, _ *peer) { r.peer("c").say() }, "[0 1 2 3], complete"},
		{"handed over", func(r *rig, a, b *peer) { c := r.peer("c"); c.say(); r.settle(a, b, c) }, "[0 1 2]"},
		{"closed", func(_ *rig, a, _ *peer) { a.beat.Closed = []shardset.ID{id(0)}; a.say() }, "[1 2 3], complete"},
		{"ended and reopened", func(r *rig, a, _ *peer) {
			a.beat.Closed = []shardset.ID{id(0)}
			a.say()
			r.g.Reopen(r.now, id(0))
			r.check()
		}, "[1 2 3]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, a, b := workers(t)
			a.done(0, 1)
			a.say()
			b.done(2, 3)
			b.say()
			r.marked("[0 1 2 3], complete")
			tc.event(r, a, b)
			r.marked(tc.want)
		})
	}
}

// What a heartbeat says of a shard was true of the grant that its sender knew.
func TestDoneOfAnEarlierGrant(t *testing.T) {
	r := newRig(t, 1)
	a := r.peer("a")
	a.say()
	old := a.beat
	a.release(0)
	a.say()
	r.want("a@2")
	for name, change := range map[string]func(b *shardset.Heartbeat){
		"its generation is too old": func(b *shardset.Heartbeat) {
			b.Generation = old.Generation
			b.Held = []shardset.Grant{{ID: id(0), Epoch: 2}}
		},
		"its epoch is":                    func(b *shardset.Heartbeat) { b.Held = []shardset.Grant{{ID: id(0), Epoch: 1}} },
		"it does not list it as held":     func(b *shardset.Heartbeat) { b.Held = nil; b.Generation = old.Generation },
		"it lists another, and one of no": func(b *shardset.Heartbeat) { b.Complete = []shardset.ID{id(-3), id(7)} },
	} {
		b := a.beat
		b.Held, b.Complete = a.told, []shardset.ID{id(0)}
		change(&b)
		a.beat.Seq++
		b.Seq = a.beat.Seq
		if _, err := r.g.Beat(r.now, b); err != nil {
			t.Fatal(err)
		}
		r.check()
		r.want("a@2")
		if r.g.Snapshot().Complete {
			t.Errorf("%s, and the shard counts as done", name)
		}
	}
	a.done(0)
	a.say()
	r.marked("[0], complete")
}

// Only the owner's word counts.
func TestDoneOfSomebodyElses(t *testing.T) {
	r, a, _ := workers(t)
	a.done(0, 1, 2, 3)
	a.beat.Held = []shardset.Grant{{ID: id(0)}, {ID: id(1)}, {ID: id(2)}, {ID: id(3)}}
	a.say()
	r.marked("[0 1]")
}

// A child that waits for its ancestor is not done, and no shard that nobody has is.
func TestWaitingAndFreeShardsAreNotDone(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, child(0), child(1, 0))
	a := r.peer("a")
	a.say()
	a.done(0)
	a.say()
	r.want("a@1 wait@0")
	r.marked("[0]")
	a.finish(0)
	a.say()
	r.marked("[]")
	a.done(1)
	a.say()
	r.marked("[1], complete")
	r.wait(rigTTL)
	r.want("closed@1 -@1")
	r.marked("[]")
}

// While a group recovers it has not heard from everybody, and says nothing. What it was
// told counts when the time is over.
func TestRecoveringGroupIsNotFinished(t *testing.T) {
	r := recovering(t, 2)
	late := r.veteran("a", 30, shardset.Grant{ID: id(0), Epoch: 7}, shardset.Grant{ID: id(1), Epoch: 7})
	late.done(0, 1)
	late.say()
	r.marked("[0 1]")
	b := r.veteran("b", 31, shardset.Grant{ID: id(1), Epoch: 8})
	b.say()
	r.marked("[0]")
	b.done(1)
	b.say()
	r.wait(rigTTL / 2)
	late.beat.Held = late.beat.Held[:1]
	late.done(0)
	late.say()
	b.say()
	r.marked("[0 1]")
	if late.complete || b.complete {
		t.Error("a group that recovers says that all is done")
	}
	r.g.TakeChanged()
	r.wait(rigTTL / 2)
	r.marked("[0 1], complete")
	r.changed("a", "b")
}

// A member without numbers is believed on what it says last.
func TestUnnumberedDone(t *testing.T) {
	r := newRig(t, 2)
	held := []shardset.Grant{{ID: id(0)}, {ID: id(1)}}
	say := func(done ...shardset.ID) bool {
		t.Helper()
		b := shardset.Heartbeat{Member: "a"}
		b.Held, b.Complete = held, done
		a, err := r.g.Beat(r.now, b)
		if err != nil {
			t.Fatal(err)
		}
		r.check()
		return a.Complete
	}
	r.peer("a").say()
	for _, c := range []struct {
		done []shardset.ID
		want bool
	}{{[]shardset.ID{id(0)}, false}, {[]shardset.ID{id(0), id(1)}, true}, {nil, false}} {
		if got := say(c.done...); got != c.want {
			t.Errorf("with %v done the answer says finished: %v, want %v", c.done, got, c.want)
		}
	}
	held = held[1:] // the other is not given up by that, nor done
	if say(id(0), id(1)) {
		t.Error("a shard that is not listed as held counts as done")
	}
}

// BenchmarkDoneBeat is the heartbeat of a group in which everything is done.
func BenchmarkDoneBeat(b *testing.B) {
	c := settled(b)
	for i := range c.beats {
		for _, h := range c.beats[i].Held {
			c.beats[i].Complete = append(c.beats[i].Complete, h.ID)
		}
		c.beat(b, i)
	}
	if !c.g.Snapshot().Complete {
		b.Fatal("everything is done, and the group is not finished")
	}
	c.now = c.now.Add(time.Second)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.beat(b, i)
		i = (i + 1) % len(c.beats)
	}
}
