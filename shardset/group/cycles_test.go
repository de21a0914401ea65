package group_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// TestCyclesAreNamed: whatever leads into a cycle, or from one into another, only those
// on one are named.
func TestCyclesAreNamed(t *testing.T) {
	for _, c := range []struct {
		list []shardset.Shard
		want []int
	}{
		{[]shardset.Shard{child(0), child(1, 0), child(2, 0, 1), child(3, 9)}, nil},
		{[]shardset.Shard{child(0, 0)}, []int{0}},
		{[]shardset.Shard{child(0, 2), child(1, 0), child(2, 1)}, []int{0, 1, 2}},
		{[]shardset.Shard{child(0, 1), child(1, 0), child(2, 1), child(3, 2, 4), child(4, 3)}, []int{0, 1, 3, 4}},
		{[]shardset.Shard{child(0, 1, 2), child(1, 3), child(2, 3), child(3, 0), child(4, 3, 5), child(5)}, []int{0, 1, 2, 3}},
		{[]shardset.Shard{child(0, 1), child(1, 0, 2), child(2, 3), child(3, 2)}, []int{0, 1, 2, 3}},
	} {
		r := newRig(t, 1)
		for range 20 { // the order of a map is another one each time
			err := r.g.SetShards(r.now, c.list)
			var got []int
			for i := range 10 {
				if err != nil && strings.Contains(err.Error(), fmt.Sprintf("shard %s is its own ancestor", id(i))) {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, c.want) || err != nil != (c.want != nil) {
				t.Fatalf("%v: %v are named, want %v: %v", c.list, got, c.want, err)
			}
		}
	}
}

// TestManyAncestors: the ways to an ancestor double with each round of a split and a merge,
// and a long line may hang on a cycle. Each shard is looked at once.
func TestManyAncestors(t *testing.T) {
	r := newRigWith(t, group.Config{TTL: rigTTL, Ordered: true}, child(0))
	a := r.peer("a")
	a.say()
	list := []shardset.Shard{child(0)}
	for n := 0; n < 3*300; n += 3 {
		list = append(list, child(n+1, n), child(n+2, n), child(n+3, n+1, n+2))
	}
	r.set(list...)
	for n := range 100 {
		a.finish(n)
	}
	if held := len(a.told); held == 0 || held > 2 {
		t.Errorf("it is given %v", a.told)
	}
	line := []shardset.Shard{child(0, 1), child(1, 0)}
	for n := 2; n < 50_000; n++ {
		line = append(line, child(n, n-1))
	}
	if err := r.g.SetShards(r.now, line); err == nil || strings.Count(err.Error(), "own ancestor") != 2 {
		t.Errorf("50,000 descendants of a cycle: %.200v", err)
	}
}
