package group_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rollcall-go/rollcall/shardset/group"
)

// fewestMoves is the dumb twin of the balance. It tries every way to round the exact
// shares up or down, and counts what the members that have too much must give away.
func fewestMoves(n int, loads, weights []int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	best := n + 1
	for up := range uint(1) << len(loads) {
		sum, moves, exact := 0, 0, true
		for i, w := range weights {
			share := n * w / total
			if up&(1<<i) != 0 {
				exact = exact && n*w%total != 0 // a whole share is not rounded
				share++
			}
			sum += share
			moves += max(0, loads[i]-share)
		}
		if exact && sum == n {
			best = min(best, moves)
		}
	}
	return best
}

// census is who has how much, and what is on its way.
func census(snap group.Snapshot) (loads map[string]int, moving int) {
	loads = map[string]int{}
	for _, s := range snap.Shards {
		switch s.State {
		case group.StateTransfer:
			moving++
			loads[s.Owner]++
		case group.StateHeld:
			loads[s.Owner]++
		}
	}
	return loads, moving
}

// random plays one random history of joins, leaves, weights and shards. After every
// change it compares the moves with the twin's, and then lets them end.
func random(t *testing.T, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 7))
	r := newRig(t, rng.IntN(13))
	var peers []*peer
	names := rng.Perm(8)
	history := ""
	for range 12 {
		before := r.g.Snapshot()
		n := len(before.Shards)
		loads, _ := census(before)
		limit, what := -1, ""
		switch k := rng.IntN(5); {
		case k < 2 && len(peers) < 6 && len(names) > 0:
			p := r.peer(fmt.Sprintf("m%d", names[0]))
			names = names[1:]
			p.beat.Weight = 1 + rng.IntN(2)*rng.IntN(3)
			what = fmt.Sprintf("join of %s with weight %d", p.beat.Member, p.beat.Weight)
			peers = append(peers, p)
			p.say()
			if evenWeights(peers) {
				limit = (n + len(peers) - 1) / len(peers)
			}
		case k == 2 && len(peers) > 1:
			i := rng.IntN(len(peers))
			p := peers[i]
			peers = append(peers[:i:i], peers[i+1:]...)
			what = "leave of " + p.beat.Member
			delete(loads, p.beat.Member)
			p.beat.Held = nil
			p.leave()
			if evenWeights(peers) && p.beat.Weight == 1 {
				limit = 0 // nobody's but the leaver's
			}
		case k == 3 && len(peers) > 0:
			p := peers[rng.IntN(len(peers))]
			p.beat.Weight = 1 + rng.IntN(3)
			what = fmt.Sprintf("weight %d of %s", p.beat.Weight, p.beat.Member)
			p.say()
		default:
			continue
		}
		after := r.g.Snapshot()
		_, moving := census(after)
		var have, weights []int
		for _, m := range after.Members {
			have, weights = append(have, loads[m.Name]), append(weights, m.Weight)
		}
		if want := fewestMoves(n, have, weights); moving != want {
			t.Fatalf("seed %d: %s moves %d shards, and %d are enough: %s", seed, what, moving, want, r.table())
		}
		if limit >= 0 && moving > limit {
			t.Fatalf("seed %d: %s moves %d shards, more than %d: %s", seed, what, moving, limit, r.table())
		}
		r.settle(peers...)
		history += fmt.Sprintf("%s: %s\n", what, r.table())
		if _, moving := census(r.g.Snapshot()); moving > 0 {
			t.Fatalf("seed %d: %s has not settled: %s", seed, what, r.table())
		}
	}
	return history
}

func evenWeights(peers []*peer) bool {
	for _, p := range peers {
		if p.beat.Weight != 1 {
			return false
		}
	}
	return true
}

// TestBalanceAgainstTwin also plays every history twice: equal events give equal
// results, whatever the order inside a map.
func TestBalanceAgainstTwin(t *testing.T) {
	for seed := range uint64(400) {
		if first, second := random(t, seed), random(t, seed); first != second {
			t.Fatalf("seed %d gave\n%s\nand then\n%s", seed, first, second)
		}
	}
}

func TestTwin(t *testing.T) {
	if got := fewestMoves(7, []int{4, 3, 0}, []int{1, 1, 1}); got != 2 {
		t.Errorf("7 shards, 4 and 3 of them held, one more member: %d moves, want 2", got)
	}
}
