package heartbeattest

import (
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

func steadyCases() []testCase {
	return []testCase{{name: "Steady/same answers", run: steadyAnswers}}
}

// While nothing changes, answers stay the same, including epochs and generation, for longer than a
// lease.
func steadyAnswers(k *kit) {
	a, b := k.joinPair()
	members := []*member{a, b}
	k.during(k.slack, "all shards are shared out", k.settled(a, b), a, b) // until answers no longer lag
	first := []shardset.Answer{a.answer, b.answer}
	k.during(k.ttl+k.ttl/2, "the answers are those from before", func() bool {
		for i, m := range members {
			if m.answer.Generation != first[i].Generation || !sameGrants(m.answer.Grants, first[i].Grants) {
				return false
			}
		}
		return true
	}, a, b)
}

// sameGrants reports whether two answers grant the same, in any order.
func sameGrants(x, y []shardset.Grant) bool {
	byID := func(a, b shardset.Grant) int { return a.ID.Compare(b.ID) }
	return slices.Equal(slices.SortedFunc(slices.Values(x), byID), slices.SortedFunc(slices.Values(y), byID))
}
