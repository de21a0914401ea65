package slsserver

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestStress writes, reads, divides, consumes and looks all at once. Every log group that
// was acknowledged has to be there once, and in the order of its writer within a shard.
func TestStress(t *testing.T) {
	r := newRig(t, Config{Retention: 1 << 40})
	r.createGroup(60, true)
	const writers, writes = 4, 60
	var work, looking sync.WaitGroup
	var done atomic.Bool
	for w := range writers {
		work.Go(func() {
			for i := range writes {
				a := r.do("POST", "/logstores/ls", string(logGroup("w", strconv.Itoa(w), "i", strconv.Itoa(i))),
					"Content-Type: application/x-protobuf", "x-log-bodyrawsize: "+strconv.Itoa(len(logGroup("w", strconv.Itoa(w), "i", strconv.Itoa(i)))))
				r.want(a, 200, "")
			}
		})
	}
	work.Go(func() {
		for i := range 6 {
			a := r.do("POST", fmt.Sprintf("/logstores/ls/shards/%d?action=split", i), "")
			if a.status != 200 {
				t.Errorf("split: %d %s", a.status, a.body)
			}
		}
	})
	for m := range 3 {
		looking.Go(func() {
			held := "[]"
			for !done.Load() {
				a := r.beat(fmt.Sprintf("c%d", m), held)
				if a.status != 200 {
					t.Errorf("beat: %d %s", a.status, a.body)
					return
				}
				held = a.body
				var shards []int
				_ = json.Unmarshal([]byte(held), &shards)
				for _, s := range shards {
					if a := r.commit(fmt.Sprintf("c%d", m), s, r.cursor(s, "end"), false); a.status >= 500 {
						t.Errorf("commit: %d %s", a.status, a.body)
					}
				}
				r.do("GET", groupPath, "")
				r.sweep(time.Now())
			}
		})
	}
	work.Wait()
	done.Store(true)
	looking.Wait()
	seen := map[string]int{}
	for _, s := range r.shardList() {
		groups, _ := r.pages(s.ID)
		last := map[string]int{}
		for _, g := range groups {
			pair := map[string]string{}
			_ = walk(g, func(f field) error {
				return walk(f.value, func(f field) error {
					if f.number == logContents {
						k, v, err := readPair(f.value)
						pair[string(k)] = string(v)
						return err
					}
					return nil
				})
			})
			i, _ := strconv.Atoi(pair["i"])
			if before, ok := last[pair["w"]]; ok && before >= i {
				t.Errorf("shard %d: writer %s wrote %d after %d", s.ID, pair["w"], i, before)
			}
			last[pair["w"]] = i
			seen[pair["w"]+"/"+pair["i"]]++
		}
	}
	if len(seen) != writers*writes {
		t.Errorf("%d log groups of %d", len(seen), writers*writes)
	}
	for g, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", g, n)
		}
	}
}
