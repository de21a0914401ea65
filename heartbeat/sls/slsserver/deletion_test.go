package slsserver

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestDeletionEndsAll: a deletion removes groups, members, positions and data, and they do not come
// back with the name.
func TestDeletionEndsAll(t *testing.T) {
	for _, what := range []string{"/logstores/ls", "/"} {
		r := newRig(t, Config{})
		r.createGroup(60, true)
		r.want(r.put(lowKey, sample), 200, "")
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		cursor := r.cursor(0, "begin")
		r.want(r.commit("c1", 0, r.cursor(0, "end"), false), 200, "")
		ls, err := r.findLogstore("p", "ls")
		if err != nil {
			t.Fatal(err)
		}
		g, sh := ls.group("g"), ls.shard(0)
		r.want(r.do("DELETE", what, ""), 200, "")
		code := map[bool]string{true: "ProjectNotExist", false: "LogStoreNotExist"}[what == "/"]
		for _, a := range []answer{
			r.beat("c1", "[0,1]"), r.commit("c1", 0, cursor, false), r.do("GET", groupPath, ""), r.put(lowKey, sample),
			r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+cursor, ""), r.do("GET", "/logstores/ls/consumergroups", ""),
		} {
			r.wantCode(a, 404, code)
		}
		// Requests that were at work when it was deleted.
		var e *apiError
		if _, err := g.heartbeat("c1", nil); !errors.As(err, &e) || e.code != code {
			t.Errorf("a late heartbeat: %v", err)
		}
		if taken, err := sh.append(block{}, time.Now(), 0); taken || err != nil {
			t.Errorf("a late log group: %v, %v", taken, err)
		}
		if err := ls.createGroup("late", time.Second, false); !errors.As(err, &e) || e.code != "LogStoreNotExist" {
			t.Errorf("a late group: %v", err)
		}
		if sh, err := ls.writable(0); err == nil {
			t.Errorf("a late split finds the shard %d", sh.id)
		}

		js := "Content-Type: application/json"
		if what == "/" {
			r.want(r.do("POST", "/", `{"projectName":"p"}`, js), 200, "")
		}
		r.want(r.do("POST", "/logstores", `{"logstoreName":"ls","ttl":1,"shardCount":2}`, js), 200, "")
		r.want(r.do("GET", "/logstores/ls/consumergroups", ""), 200, "[]")
		r.createGroup(60, true)
		r.wantCode(r.beat("c1", "[0,1]"), 400, "NotExistConsumerWithBody")
		if cp := r.checkpoint(0); cp.Checkpoint != "" {
			t.Errorf("the new group is at %q", cp.Checkpoint)
		}
		if groups, _ := r.pages(0); len(groups) != 0 {
			t.Errorf("the new logstore has %d log groups", len(groups))
		}
	}
}

// TestDeleteUnderLoad: deletions beside every other request, with the race detector.
func TestDeleteUnderLoad(t *testing.T) {
	r := newRig(t, Config{})
	js := "Content-Type: application/json"
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 60 {
				for _, a := range []answer{
					r.do("POST", "/logstores", `{"logstoreName":"ls","ttl":1,"shardCount":2}`, js),
					r.do("POST", "/logstores/ls/consumergroups", `{"consumerGroup":"g","timeout":60,"order":true}`, js),
					r.put(lowKey, sample), r.beat(fmt.Sprint("c", i), "[]"), r.commit("", 0, "MTIz", true),
					r.do("POST", "/logstores/ls/shards/0?action=split", ""), r.do("GET", "/logstores/ls/shards", ""),
					r.do("DELETE", "/logstores/ls", ""),
				} {
					if a.status >= http.StatusInternalServerError {
						t.Errorf("%d %s", a.status, a.body)
					}
				}
			}
		})
	}
	wg.Wait()
}
