package replicated_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// remake deletes the group and makes it anew.
func (p *process) remake() {
	p.r.Helper()
	ctx := p.r.Context()
	if err := errors.Join(p.Delete(ctx), p.Create(ctx)); err != nil {
		p.r.Fatal(err)
	}
}

// A member that does not hear that its group was deleted and made anew goes on until its
// lease ends. Until then no other member is granted what it has.
func TestRemadeGroupWaitsForFormerMembers(t *testing.T) {
	for name, f := range map[string]memstore.Faults{
		"cut off":                {DropRequests: true, DropAnswers: true, HoldWatches: true},
		"heard, and not hearing": {HoldWatches: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				p, lost := r.process(), r.process()
				a, b := p.member("a"), lost.member("b")
				r.together(a, b)
				b.obey()
				had := len(b.answer.Grants)
				lost.Adjust(func(now *memstore.Faults) {
					now.DropRequests, now.DropAnswers, now.HoldWatches = f.DropRequests, f.DropAnswers, f.HoldWatches
				})
				sent := time.Now()
				p.remake()
				r.wants("a member of the deleted group", a.say(a.answer.Grants...), heartbeat.ErrEvicted)
				c := p.member("c")
				for time.Since(sent) < rigTTL-time.Second {
					c.obey()
					if n := len(c.answer.Grants); n > r.shards-had {
						t.Fatalf("%v after b's last heartbeat c has %d shards of %d, and b may work on %d", time.Since(sent), n, r.shards, had)
					}
					time.Sleep(rigTTL / 20)
				}
				r.until(3*rigTTL, "c has all shards", c.has(r.shards), c)
			})
		})
	}
}

// Who hears it starts over, and brings what still runs: that stays its own, and the rest is
// free at once.
func TestRemadeGroupTakesBackNewInstances(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a, b)
		b.obey()
		owner := b.owner(b.answer.Grants[0])
		if err := loadError(r.Context(), q, owner); err != nil {
			t.Fatal(err)
		}
		epochs := map[shardset.ID]uint64{}
		s, err := p.Snapshot(r.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range s.Shards {
			epochs[i.ID] = i.Epoch
		}
		p.remake()
		time.Sleep(100 * time.Millisecond)
		r.wants("a commit to the deleted group", q.Save(r.Context(), owner, "10"), processor.ErrNotOwner)
		r.wants("a load from it", loadError(r.Context(), q, owner), processor.ErrNotOwner)
		r.wants("a heartbeat to it", b.say(), heartbeat.ErrEvicted)
		again, running := q.member("b"), b.answer.Grants[:1]
		if err := again.say(running...); err != nil {
			t.Fatal(err)
		}
		r.until(time.Second, "b is a member", func() bool {
			return again.say(running...) == nil && len(again.answer.Grants) > 0
		})
		if s, err = p.Snapshot(r.Context()); err != nil {
			t.Fatal(err)
		}
		for _, i := range s.Shards {
			// What b runs is b's, under a new epoch; what a may work on still is kept as it was.
			if i.ID == running[0].ID && (i.Owner != "b" || i.Epoch <= running[0].Epoch) ||
				i.Owner == "a" && i.Epoch != epochs[i.ID] {
				t.Errorf("shard %s is %s by %q under epoch %d, and was under %d", i.ID, i.State, i.Owner, i.Epoch, epochs[i.ID])
			}
		}
		r.until(3*rigTTL, "b has all shards", again.has(r.shards), again)
	})
}

// A member that stops because its group was deleted leaves, and the next group does not wait for
// it.
func TestRemadeGroupDoesNotWaitForMembersThatLeft(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		a.obey()
		if err := p.Delete(r.Context()); err != nil {
			t.Fatal(err)
		}
		r.wants("a heartbeat to a deleted group", a.say(a.answer.Grants...), heartbeat.ErrGroupNotFound)
		if err := a.leave(); err != nil {
			t.Fatalf("who had spoken may leave: %v", err)
		}
		r.wants("who never spoke has nothing to leave", p.member("x").leave(), heartbeat.ErrGroupNotFound)
		if err := p.Create(r.Context()); err != nil {
			t.Fatal(err)
		}
		b := p.member("b")
		r.until(time.Second, "b has all shards", b.has(r.shards), b)
	})
}
