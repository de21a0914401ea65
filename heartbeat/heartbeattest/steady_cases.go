package heartbeattest

import (
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

func steadyCases() []testCase {
	return []testCase{{name: "Steady/same answers", run: steadyAnswers}}
}

// While nothing happens, answers stay the same, epochs and generation included, for
// longer than a lease lasts.
func steadyAnswers(k *kit) {
	a, b := k.pair()
	members := []*member{a, b}
	k.during(k.slack, "all shards are shared out", k.settled(a, b), a, b) // what lags has come
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
