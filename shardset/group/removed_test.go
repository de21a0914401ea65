package group_test

import (
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

// numbered are the shards from one number to another, that one not included.
func numbered(from, to int) []shardset.Shard { return list(to)[from:] }

// A group whose shards come and go stays small, and a shard that comes back after all has a
// higher epoch than it ever had.
func TestRetiredShardsAreFolded(t *testing.T) {
	r := newRig(t, 1)
	a := r.peer("a")
	a.say()
	highest := map[int]uint64{}
	const step, rounds = 3000, 100 // far more than a group remembers, together
	for i := range rounds {
		if err := r.g.SetShards(r.now, numbered(i*step, (i+1)*step)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it hears of them, and then lists them and none of the former
			a.beat.Seq++
			answer, err := r.g.Beat(r.now, a.beat)
			if err != nil {
				t.Fatal(err)
			}
			a.beat.Held, a.beat.Generation = answer.Grants, answer.Generation
		}
		for _, s := range r.g.Snapshot().Shards {
			highest[s.ID.Number] = max(highest[s.ID.Number], s.Epoch)
		}
	}
	r.check()
	if n := len(r.g.State().Removed); n > 1<<12+step {
		t.Errorf("after %d shards have come and gone the group remembers %d of them", step*rounds, n)
	}
	a.release()
	r.set(append(list(10), numbered(rounds*step-10, rounds*step)...)...)
	a.say()
	a.release()
	a.say()
	for _, s := range r.g.Snapshot().Shards {
		if s.Owner == "a" && s.Epoch <= highest[s.ID.Number] && s.ID.Number < 10 {
			t.Errorf("shard %d is back under epoch %d, and had %d", s.ID.Number, s.Epoch, highest[s.ID.Number])
		}
	}
}

// What somebody holds is not folded, and what was over stays over as long as others can go.
func TestHeldAndOverShardsAreFoldedLast(t *testing.T) {
	r := newRig(t, 5)
	a := r.peer("a")
	a.say()
	a.beat.Closed = nil
	for _, n := range []int{0, 1} {
		a.beat.Closed = append(a.beat.Closed, id(n))
	}
	a.release(0, 1)
	a.say()
	a.beat.Closed = nil
	r.want("closed@1 closed@1 a@1 a@1 a@1")
	for i := range 4 {
		r.set(numbered((i+1)*3000, (i+2)*3000)...) // a goes on with 2, 3 and 4
	}
	r.set(list(5)...)
	r.want("closed@1 closed@1 a@1 a@1 a@1")
}
