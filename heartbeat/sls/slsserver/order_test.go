package slsserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func (r *rig) shardList() []shardInfo {
	r.t.Helper()
	a := r.do("GET", "/logstores/ls/shards", "")
	var list []shardInfo
	if a.status != 200 || json.Unmarshal([]byte(a.body), &list) != nil {
		r.t.Fatalf("shards: %d %s", a.status, a.body)
	}
	return list
}

func (r *rig) divide(shard int, query, want string) {
	r.t.Helper()
	a := r.do("POST", fmt.Sprintf("/logstores/ls/shards/%d?%s", shard, query), "")
	var list []shardInfo
	if a.status != 200 || json.Unmarshal([]byte(a.body), &list) != nil {
		r.t.Fatalf("%s of shard %d: %d %s", query, shard, a.status, a.body)
	}
	var got []string
	for _, s := range list {
		got = append(got, fmt.Sprintf("%d %s %s-%s", s.ID, s.Status, s.Begin[:2], s.End[:2]))
	}
	if s := strings.Join(got, ", "); s != want {
		r.t.Errorf("%s of shard %d: got %s, want %s", query, shard, s, want)
	}
}

func TestSplitAndMerge(t *testing.T) {
	r := newRig(t, Config{})
	r.want(r.put(lowKey, sample), 200, "")
	r.divide(0, "action=split&key=40000000000000000000000000000000", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
	r.divide(3, "action=merge", "4 readwrite 40-ff, 3 readonly 40-80, 1 readonly 80-ff")
	r.divide(2, "action=split&shardCount=4", "2 readonly 00-40, 5 readwrite 00-10, 6 readwrite 10-20, 7 readwrite 20-30, 8 readwrite 30-40")
	r.divide(4, "action=split", "4 readonly 40-ff, 9 readwrite 40-a0, 10 readwrite a0-ff")
	list := r.shardList()
	if len(list) != 11 {
		t.Fatalf("%d shards", len(list))
	}
	for _, s := range list {
		if s.ID > 1 && s.Created < list[0].Created {
			t.Errorf("shard %d was created before its parents", s.ID)
		}
	}
	if last := list[10].End; last != strings.Repeat("f", 32) {
		t.Errorf("the last key is %s", last)
	}
	// The parents can be read, and no longer written, also by a put that found one before it closed.
	ls, _ := r.findLogstore("p", "ls")
	if taken, err := ls.shard(0).append(block{}, time.Now(), 0); taken || err != nil {
		t.Errorf("a read-only shard takes a log group: %v, %v", taken, err)
	}
	if groups, _, _ := r.pull(0, r.cursor(0, "begin")); len(groups) != 1 {
		t.Errorf("shard 0 has %d groups", len(groups))
	}
	r.want(r.put(lowKey, sample), 200, "")
	for shard, want := range map[int]int{0: 1, 2: 0, 5: 1} {
		if groups, _, _ := r.pull(shard, r.cursor(shard, "begin")); len(groups) != want {
			t.Errorf("shard %d has %d groups, want %d", shard, len(groups), want)
		}
	}
	for _, target := range []string{
		"0?action=split", "99?action=split", "0?action=merge", "99?action=merge", "10?action=merge",
		"5?action=split&key=" + midKey, "5?action=split&key=" + lowKey, "5?action=split&key=10000000000000000000000000000000",
		"5?action=split&key=zz", "5?action=split&key=0", "5?action=split&shardCount=1", "5?action=split&shardCount=257",
		"5?action=split&shardCount=3&key=08000000000000000000000000000000", "5?action=destroy", "5", "x?action=split", "-1?action=split",
	} {
		r.wantCode(r.do("POST", "/logstores/ls/shards/"+target, ""), 400, "ParameterInvalid")
	}
	if got := r.shardList(); len(got) != 11 {
		t.Errorf("the refused ones made %d shards", len(got))
	}
}

func TestShardBound(t *testing.T) {
	r := newRig(t, Config{MaxShards: 4})
	r.divide(0, "action=split", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
	r.wantCode(r.do("POST", "/logstores/ls/shards/1?action=split", ""), 403, "ShardQuotaExceed")
	if list := r.shardList(); len(list) != 4 || list[1].Status != "readwrite" {
		t.Errorf("afterwards: %+v", list)
	}
}

// TestChildrenWait goes through a split and a merge in an ordered group.
func TestChildrenWait(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, true)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.want(r.put(lowKey, sample), 200, "")
	r.want(r.put(highKey, sample), 200, "")
	r.divide(0, "action=split", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
	r.want(r.put("50000000000000000000000000000000", sample), 200, "")
	r.divide(3, "action=merge", "4 readwrite 40-ff, 3 readonly 40-80, 1 readonly 80-ff")
	r.want(r.beat("c1", "[0,1]"), 200, "[0,1]") // 2, 3 and 4 wait
	r.want(r.commit("c1", 0, r.cursor(0, "begin"), false), 200, "")
	r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
	r.want(r.commit("c1", 0, r.cursor(0, "end"), false), 200, "")
	r.want(r.beat("c1", "[0,1]"), 200, "[1,2,3]")
	r.want(r.commit("c1", 3, r.cursor(3, "end"), false), 200, "")
	r.want(r.beat("c1", "[1,2,3]"), 200, "[1,2]")                // 4 waits for 1
	r.want(r.commit("c1", 1, r.cursor(1, "end"), true), 200, "") // forced counts too
	r.want(r.beat("c1", "[1,2]"), 200, "[2,4]")
	st, err := r.Group("p", "ls", "g")
	if err != nil || fmt.Sprint(st.Complete) != "[0 1 3]" {
		t.Errorf("over: %v, %v", st.Complete, err)
	}

	// A forced checkpoint opens shard 0 again.
	r.want(r.commit("", 0, r.cursor(0, "begin"), true), 200, "")
	r.want(r.beat("c1", "[2,4]"), 200, "[0,2,4]")
	r.want(r.commit("c1", 0, r.cursor(0, "end"), false), 200, "")
	r.want(r.beat("c1", "[0,2,4]"), 200, "[2,4]")
	r.want(r.commit("c1", 2, r.cursor(2, "end"), false), 200, "") // the end of an open shard is no end
	r.want(r.beat("c1", "[2,4]"), 200, "[2,4]")
}

// TestGrandchildWaits: a child that is complete by a forced commit does not release a grandchild that
// waits for an older ancestor.
func TestGrandchildWaits(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, true)
	r.want(r.put(lowKey, sample), 200, "")
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.divide(0, "action=split", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
	r.want(r.put(lowKey, sample), 200, "")
	r.divide(2, "action=split", "2 readonly 00-40, 4 readwrite 00-20, 5 readwrite 20-40")
	r.want(r.commit("", 2, r.cursor(2, "end"), true), 200, "")
	r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
	r.want(r.commit("c1", 0, r.cursor(0, "end"), false), 200, "")
	r.want(r.beat("c1", "[0,1]"), 200, "[1,3,4,5]")
}

func TestUnordered(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	r.want(r.put(lowKey, sample), 200, "")
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.divide(0, "action=split", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
	r.want(r.beat("c1", "[0,1]"), 200, "[0,1,2,3]")
}

// TestOrderChanges: what waits is released at once; what is consumed stays so, and only
// what is born later waits.
func TestOrderChanges(t *testing.T) {
	r := newRig(t, Config{})
	r.want(r.put(lowKey, sample), 200, "")
	r.want(r.put(highKey, sample), 200, "")
	r.createGroup(60, true)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.divide(0, "action=split", "0 readonly 00-80, 2 readwrite 00-40, 3 readwrite 40-80")
	r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
	r.want(r.do("PUT", groupPath, `{"order":false}`), 200, "")
	r.want(r.beat("c1", "[0,1]"), 200, "[0,1,2,3]")
	r.want(r.do("PUT", groupPath, `{"order":true}`), 200, "")
	r.want(r.beat("c1", "[0,1,2,3]"), 200, "[0,1,2,3]")
	if err := r.Evict("p", "ls", "g", "c1"); err != nil {
		t.Fatal(err)
	}
	r.want(r.beat("c1", "[]"), 200, "[0,1,2,3]") // free again, they do not begin to wait
	r.divide(1, "action=split", "1 readonly 80-ff, 4 readwrite 80-c0, 5 readwrite c0-ff")
	r.want(r.beat("c1", "[0,1,2,3]"), 200, "[0,1,2,3]")
	r.want(r.commit("c1", 1, r.cursor(1, "end"), false), 200, "")
	r.want(r.beat("c1", "[0,1,2,3]"), 200, "[0,2,3,4,5]")
}
