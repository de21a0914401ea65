package group_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// states is what the group thinks of each shard, as "held a", and a dot for nobody.
func states(s group.Snapshot) (list []string) {
	for _, i := range s.Shards {
		who := i.Owner
		if who == "" {
			who = "."
		}
		list = append(list, i.State.String()+" "+who)
	}
	return list
}

func (r *rig) wantStates(what string, want ...string) {
	r.t.Helper()
	r.g.Expire(r.now)
	got := states(r.g.Snapshot())
	if len(got) != len(want) {
		r.t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			r.t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	if err := r.g.Check(); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// remake deletes the rig's group and makes it anew.
func (r *rig) remake(cfg group.Config, shards ...shardset.Shard) {
	r.t.Helper()
	g, err := r.g.Successor(r.now, cfg, shards)
	if err != nil {
		r.t.Fatal(err)
	}
	r.g = g
}

// beat sends a numbered heartbeat.
func (r *rig) beat(name string, instance, seq, generation uint64, held ...shardset.Grant) (shardset.Answer, error) {
	b := shardset.Heartbeat{Member: name}
	b.Instance, b.Seq, b.Generation, b.Held = instance, seq, generation, held
	return r.g.Beat(r.now, b)
}

// A group that is made anew leaves each shard to who may be at work on it, until that
// member is known to be over, and shares out the others.
func TestSuccessorHoldsShardsBack(t *testing.T) {
	make := func(t *testing.T) (r *rig, a, b shardset.Answer) {
		r = newRig(t, 4)
		if _, err := r.beat("a", 5, 1, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.beat("b", 5, 1, 0); err != nil {
			t.Fatal(err)
		}
		a, _ = r.beat("a", 5, 2, 0)
		a, _ = r.beat("a", 5, 3, a.Generation, a.Grants...)
		b, err := r.beat("b", 5, 2, 0)
		if err != nil || len(a.Grants) != 2 || len(b.Grants) != 2 {
			t.Fatalf("a has %v, b %v, %v", a.Grants, b.Grants, err)
		}
		r.now = r.now.Add(time.Second)
		r.remake(group.Config{TTL: rigTTL / 2}, list(6)...) // two shards more
		if _, err := r.beat("c", 7, 1, 0); err != nil {
			t.Fatal(err)
		}
		r.wantStates("anew", "transfer a", "transfer a", "transfer b", "transfer b", "held c", "held c")
		return r, a, b
	}
	t.Run("expired", func(t *testing.T) {
		r, a, _ := make(t)
		for seq := uint64(4); r.now.Before(simStart.Add(rigTTL)); seq++ {
			if _, err := r.beat("a", 5, seq, a.Generation, a.Grants...); !errors.Is(err, shardset.ErrEvicted) {
				t.Fatalf("a member of the deleted group is answered: %v", err)
			}
			r.wantStates("within the lease", "transfer a", "transfer a", "transfer b", "transfer b", "held c", "held c")
			r.now = r.now.Add(time.Second)
			if _, err := r.beat("c", 7, seq, 0); err != nil {
				t.Fatal(err)
			}
		}
		r.wantStates("after it", "held c", "held c", "held c", "held c", "held c", "held c")
		for _, s := range r.g.Snapshot().Shards {
			if s.Epoch <= a.Grants[0].Epoch {
				t.Errorf("shard %s has epoch %d after %d", s.ID, s.Epoch, a.Grants[0].Epoch)
			}
		}
	})
	t.Run("left", func(t *testing.T) {
		r, a, _ := make(t)
		last := shardset.Heartbeat{Member: "a"}
		last.Instance, last.Seq, last.Held, last.Closed = 5, 9, a.Grants[1:], []shardset.ID{a.Grants[0].ID}
		if err := r.g.Leave(r.now, last); err != nil {
			t.Fatal(err)
		}
		r.wantStates("all but one", "held c", "transfer a", "transfer b", "transfer b", "held c", "held c")
		last.Seq, last.Held = 10, nil
		if err := r.g.Leave(r.now, last); err != nil {
			t.Fatal(err)
		}
		r.wantStates("all", "held c", "held c", "transfer b", "transfer b", "held c", "held c")
	})
	t.Run("started over", func(t *testing.T) {
		r, _, b := make(t)
		old := shardset.Heartbeat{Member: "b"}
		old.Instance, old.Seq = 4, 1
		if err := r.g.Leave(r.now, old); !errors.Is(err, shardset.ErrReplaced) {
			t.Errorf("an instance before it leaves: %v", err)
		}
		if _, err := r.beat("b", 6, 1, 0, b.Grants[0]); err != nil { // the rest has ended
			t.Fatal(err)
		}
		r.g.Evict(r.now, "a", 5)
		s := r.g.Snapshot()
		if s.Shards[2].Owner != "b" || s.Shards[2].Epoch <= b.Grants[0].Epoch || s.Shards[3].State != group.StateHeld {
			t.Errorf("what it has still is %+v, the rest %+v", s.Shards[2], s.Shards[3])
		}
		if err := r.g.Check(); err != nil {
			t.Error(err)
		}
	})
	t.Run("deleted again", func(t *testing.T) {
		r, _, _ := make(t)
		r.remake(group.Config{TTL: rigTTL / 2}, list(2)...)
		if _, err := r.beat("d", 7, 1, 0); err != nil {
			t.Fatal(err)
		}
		r.wantStates("twice", "transfer a", "transfer a")
		r.set(list(5)...)
		r.wantStates("with what b and c had", "transfer a", "transfer a", "transfer b", "transfer b", "transfer c")
	})
}
