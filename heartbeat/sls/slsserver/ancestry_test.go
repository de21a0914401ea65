package slsserver

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestManyGenerations: each round of a split and a merge doubles the ways to the oldest
// ancestor, and must not double the work.
func TestManyGenerations(t *testing.T) {
	const rounds = 40
	r := newRig(t, Config{Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}}}})
	r.createGroup(60, true)
	r.want(r.beat("c", "[]"), 200, "[0]")
	last := 0
	put := func(key string) { r.want(r.put(key, sample), 200, "") } // so that no shard is complete before its commit
	for range rounds {
		put(lowKey)
		if a := r.do("POST", fmt.Sprintf("/logstores/ls/shards/%d?action=split", last), ""); a.status != 200 {
			t.Fatal(a.body)
		}
		put(lowKey)
		put(highKey)
		if a := r.do("POST", fmt.Sprintf("/logstores/ls/shards/%d?action=merge", last+1), ""); a.status != 200 {
			t.Fatal(a.body)
		}
		last += 3
	}
	for n := range last {
		held := r.beat("c", "[]").body
		for _, text := range strings.Split(strings.Trim(held, "[]"), ",") {
			if shard, err := strconv.Atoi(text); err != nil || shard > last || shard/3 > 0 && (shard-1)/3 > n/3+1 {
				t.Fatalf("after %d shards it is given %s", n, held)
			}
		}
		r.want(r.commit("c", n, r.cursor(n, "end"), false), 200, "")
	}
}
