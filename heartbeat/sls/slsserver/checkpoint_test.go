package slsserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (r *rig) checkpoint(shard int) shardCheckpoint {
	r.t.Helper()
	a := r.do("GET", fmt.Sprintf("%s?shard=%d", groupPath, shard), "")
	var list []shardCheckpoint
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list) != 1 {
		r.t.Fatalf("checkpoint of shard %d: %d %s", shard, a.status, a.body)
	}
	return list[0]
}

func plus(cursor string, n int64) string {
	at, _ := parseCursor(cursor)
	return formatCursor(at + n)
}

func TestCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.createGroup(60, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		for range 3 {
			r.want(r.put(lowKey, sample), 200, "")
		}
		begin := r.cursor(0, "begin")
		r.want(r.commit("c1", 0, plus(begin, 2), false), 200, "")
		got := r.checkpoint(0)
		if want := (shardCheckpoint{0, plus(begin, 2), time.Now().UnixMicro(), "c1"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		r.want(r.commit("c1", 0, plus(begin, 1), false), 200, "") // back
		if got := r.checkpoint(0).Checkpoint; got != plus(begin, 1) {
			t.Errorf("the checkpoint is %s", got)
		}

		r.want(r.beat("c2", "[]"), 200, "[]")
		r.want(r.beat("c1", "[0,1]"), 200, "[0]")
		r.want(r.commit("c1", 1, r.cursor(1, "begin"), false), 200, "") // in transfer, it is still the holder
		r.wantCode(r.commit("c2", 1, r.cursor(1, "begin"), false), 400, "ConsumerNotMatch")
		r.want(r.beat("c1", "[0]"), 200, "[0]")
		r.wantCode(r.commit("c1", 1, r.cursor(1, "begin"), false), 400, "ConsumerNotMatch")
		r.want(r.beat("c2", "[]"), 200, "[1]")
		r.want(r.commit("c2", 1, r.cursor(1, "begin"), false), 200, "")
		r.wantCode(r.commit("c3", 1, r.cursor(1, "begin"), false), 404, "ConsumerNotExist")
		r.want(r.commit("c3", 1, r.cursor(1, "begin"), true), 200, "") // also of an unknown consumer
		if by := r.checkpoint(1).Consumer; by != "c3" {
			t.Errorf("the committer is %q", by)
		}
		r.wantCode(r.commit("c1", 9, begin, false), 404, "ShardNotExist")
		r.wantCode(r.commit("c1", 9, begin, true), 404, "ShardNotExist")
		r.wantCode(r.commit("c1", 0, plus(begin, 4), false), 400, "InvalidShardCheckPoint")
		r.wantCode(r.commit("c1", 0, plus(begin, 4), true), 400, "InvalidShardCheckPoint")
		_ = r.Close()
	})
}

func TestCommitParameters(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	at := r.cursor(0, "begin")
	body := fmt.Sprintf(`{"shard":0,"checkpoint":%q}`, at)
	send := func(query, body string) answer {
		return r.do("POST", groupPath+"?type=checkpoint"+query, body, "Content-Type: application/json")
	}
	for _, query := range []string{
		"&consumer=c1", "&consumer=c1&forceSuccess=False", "&consumer=c1&forceSuccess=True", "&forceSuccess=TRUE", "&consumer=&forceSuccess=true",
	} {
		r.want(send(query, body), 200, "")
	}
	for _, query := range []string{"", "&forceSuccess=false", "&consumer=c1&forceSuccess=1", "&consumer=c1&consumer=c1", "&consumer=%00&forceSuccess=true"} {
		r.wantCode(send(query, body), 400, "ParameterInvalid")
	}
	r.wantCode(send("&consumer=nobody", body), 404, "ConsumerNotExist") // absent means false
	for _, cp := range []string{"", "x", "MTIz!", "LTU=", "MTIuNQ==", "IDEy", "MDEy", strings.Repeat("MTIz", 30), "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"} {
		r.wantCode(send("&consumer=c1", fmt.Sprintf(`{"shard":0,"checkpoint":%q}`, cp)), 400, "InvalidShardCheckPoint")
	}
	r.want(send("&consumer=c1", fmt.Sprintf(`{"shard":0,"checkpoint":%q}`, strings.TrimRight(at, "=")+"\n")), 200, "")
	if got := r.checkpoint(0).Checkpoint; got != at {
		t.Errorf("without padding it became %q", got)
	}
	for _, body := range []string{`{}`, `{"shard":0}`, `{"checkpoint":"MTIz"}`, `{"shard":"0","checkpoint":"MTIz"}`, `{"shard":-1,"checkpoint":"MTIz"}`,
		`{"shard":0,"checkpoint":"MTIz","shard":1}`, `{"shard":0,"checkpoint":"MTIz"} x`, `[]`, ``} {
		r.wantCode(send("&consumer=c1", body), 400, "JsonInfoInvalid")
	}
	r.wantCode(r.do("GET", groupPath+"?shard=x", ""), 400, "ParameterInvalid")
}

func TestMisspeltCodes(t *testing.T) {
	r := newRig(t, Config{MisspeltCodes: true})
	r.createGroup(60, false)
	r.wantCode(r.commit("c3", 1, r.cursor(1, "begin"), false), 404, "ConsumerNotExsit")
	r.wantCode(r.commit("c3", 9, "MTIz", false), 404, "ShardNotExsit")
}

// TestLostAnswer: the commit of the end can be repeated, by the same consumer only.
func TestLostAnswer(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, true)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.do("POST", "/logstores/ls/shards/0?action=split", "")
	end := r.cursor(0, "end")
	r.want(r.commit("c1", 0, end, false), 200, "")
	r.want(r.commit("c1", 0, end, false), 200, "")
	r.want(r.beat("c2", "[]"), 200, "[]")
	r.wantCode(r.commit("c2", 0, end, false), 400, "ConsumerNotMatch")
}
