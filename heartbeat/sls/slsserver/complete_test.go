package slsserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// overHTTP is a rig whose requests travel over a connection.
type overHTTP struct {
	*rig
	base string
}

func newOverHTTP(t *testing.T, cfg Config) overHTTP {
	r := newRig(t, cfg)
	return overHTTP{r, "http://" + r.listen() + "/p"}
}

func (r overHTTP) ask(method, target, body string) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, r.base+target, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (r overHTTP) hear(consumer, held, want string) {
	r.t.Helper()
	r.want(r.ask("POST", groupPath+"?type=heartbeat&consumer="+consumer, held), 200, want)
}

// TestNoSecondCommit is the official clients' habit: a consumer commits the end of an idle shard once,
// before a split or a merge, and never again. The children have to be granted all the same.
func TestNoSecondCommit(t *testing.T) {
	commitEnd := func(r overHTTP, shards ...int) {
		for _, shard := range shards {
			r.want(r.ask("POST", groupPath+"?type=checkpoint&consumer=c1&forceSuccess=false",
				fmt.Sprintf(`{"shard":%d,"checkpoint":%q}`, shard, r.cursor(shard, "end"))), 200, "")
		}
	}
	fill := func(r overHTTP) {
		r.want(r.put(lowKey, sample), 200, "")
		r.want(r.put(highKey, sample), 200, "")
	}
	split := func(r overHTTP) { r.want200(r.ask("POST", "/logstores/ls/shards/0?action=split", "")) }
	merge := func(r overHTTP) { r.want200(r.ask("POST", "/logstores/ls/shards/0?action=merge", "")) }
	for _, c := range []struct {
		name        string
		before      func(r overHTTP)
		change      func(r overHTTP)
		held, after string // the heartbeat after the change and its answer
	}{
		{"split", func(r overHTTP) { fill(r); r.hear("c1", "[]", "[0,1]"); commitEnd(r, 0) }, split, "[0,1]", "[1,2,3]"},
		{"merge", func(r overHTTP) { fill(r); r.hear("c1", "[]", "[0,1]"); commitEnd(r, 0, 1) }, merge, "[0,1]", "[2]"},
		{"merge, one of two", func(r overHTTP) { fill(r); r.hear("c1", "[]", "[0,1]"); commitEnd(r, 0) }, merge, "[0,1]", "[1]"},
		{"not at the end", func(r overHTTP) { fill(r); r.hear("c1", "[]", "[0,1]") }, split, "[0,1]", "[0,1]"},
		{"never had data, committed", func(r overHTTP) { r.hear("c1", "[]", "[0,1]"); commitEnd(r, 0) }, split, "[0,1]", "[1,2,3]"},
		{"never had data, no checkpoint", func(r overHTTP) { r.hear("c1", "[]", "[0,1]") }, split, "[0,1]", "[1,2,3]"},
		{"never had data, nobody holds it", func(overHTTP) {}, merge, "[]", "[2]"},
		{"nobody holds it any more", func(r overHTTP) {
			fill(r)
			r.hear("c1", "[]", "[0,1]")
			commitEnd(r, 0)
			if err := r.Evict("p", "ls", "g", "c1"); err != nil {
				r.t.Error(err)
			}
		}, split, "[]", "[1,2,3]"},
		{"twice", func(r overHTTP) { fill(r); r.hear("c1", "[]", "[0,1]"); commitEnd(r, 0) }, func(r overHTTP) {
			split(r)
			r.want200(r.ask("POST", "/logstores/ls/shards/2?action=split", "")) // it never had data
		}, "[0,1]", "[1,3,4,5]"},
		{"data expires after the split", func(r overHTTP) { fill(r); r.hear("c1", "[]", "[0,1]") }, func(r overHTTP) {
			split(r)
			r.hear("c1", "[0,1]", "[0,1]")
			if err := r.Expire("p", "ls", 0, 1); err != nil {
				r.t.Error(err)
			}
		}, "[0,1]", "[1,2,3]"},
		{"data expired before the split", func(r overHTTP) {
			fill(r)
			r.hear("c1", "[]", "[0,1]")
			if err := r.Expire("p", "ls", 0, -1); err != nil {
				r.t.Error(err)
			}
		}, split, "[0,1]", "[1,2,3]"},
		{"a heartbeat crosses", func(r overHTTP) { fill(r); r.hear("c1", "[]", "[0,1]"); commitEnd(r, 0) }, func(r overHTTP) {
			split(r)
			r.hear("c2", "[]", "[]") // all are the first one's, and one is promised to this one
			r.hear("c1", "[0,1]", "[1,2]")
			r.hear("c2", "[]", "[3]")
		}, "[1,2]", "[1,2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newOverHTTP(t, Config{})
			r.createGroup(60, true)
			c.before(r)
			c.change(r)
			r.hear("c1", c.held, c.after)
		})
	}
}

func (r *rig) want200(a answer) {
	r.t.Helper()
	if a.status != 200 {
		r.t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestOrderedLater: a group that is made or becomes an ordered one after a split finds its idle
// parents consumed, and those of later splits too.
func TestOrderedLater(t *testing.T) {
	r := newOverHTTP(t, Config{})
	r.want200(r.ask("POST", "/logstores/ls/shards/0?action=split", ""))
	r.createGroup(60, true)
	r.hear("c1", "[]", "[1,2,3]")

	r.want(r.do("PUT", groupPath, `{"order":false}`), 200, "")
	r.want(r.put(highKey, sample), 200, "")
	r.want(r.commit("c1", 1, r.cursor(1, "end"), false), 200, "")
	r.want(r.do("PUT", groupPath, `{"order":true}`), 200, "")
	r.want200(r.ask("POST", "/logstores/ls/shards/1?action=split", ""))
	r.hear("c1", "[1,2,3]", "[2,3,4,5]")
}

// TestCompleteByAge: the sweeper takes the last data of a parent, and its children are granted.
func TestCompleteByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Retention: 10 * time.Minute})
		r.createGroup(3600, true)
		r.want(r.put(lowKey, sample), 200, "")
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		time.Sleep(5 * time.Minute)
		r.divide(0, "action=split", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
		r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
		time.Sleep(7 * time.Minute)
		synctest.Wait()
		r.want(r.beat("c1", "[0,1]"), 200, "[1,2,3]")
		r.want(r.commit("c1", 0, r.cursor(0, "end"), false), 200, "") // its holder had it in its hands
		if st, err := r.Group("p", "ls", "g"); err != nil || fmt.Sprint(st.Complete) != "[0]" {
			t.Errorf("over: %v, %v", st.Complete, err)
		}
		_ = r.Close()
	})
}

// TestEndAfterComplete: the holder of a shard that became complete without a commit may commit the
// end, as Rollcall's own client does when it drains. No other consumer may.
func TestEndAfterComplete(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, true)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.divide(0, "action=split", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
	end := r.cursor(0, "end")
	r.want(r.beat("c2", "[]"), 200, "[]")
	r.wantCode(r.commit("c2", 0, end, false), 400, "ConsumerNotMatch")
	r.want(r.commit("c1", 0, end, false), 200, "")
	r.wantCode(r.commit("c1", 0, "MTIz", false), 400, "ConsumerNotMatch") // not another position
	if got := r.checkpoint(0).Checkpoint; got != end {
		t.Errorf("the checkpoint is %q, want %q", got, end)
	}
}
