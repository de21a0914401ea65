package slsserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

func (r *rig) fault(f Fault) int {
	r.t.Helper()
	n, err := r.AddFault(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Projects: []Project{
			{Name: "p", Logstores: []Logstore{{Name: "ls"}, {Name: "other"}}}, {Name: "q", Logstores: []Logstore{{Name: "ls"}}},
		}})
		r.createGroup(60, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		at := r.cursor(0, "begin")
		list := func() answer { return r.do("GET", "/logstores/ls/shards", "") }

		r.fault(Fault{Op: "ConsumerGroupUpdateCheckPoint", Code: "ConsumerNotMatch"})
		r.wantCode(r.commit("c1", 0, at, true), 400, "ConsumerNotMatch")
		if got := r.checkpoint(0).Checkpoint; got != "" {
			t.Errorf("it was stored all the same: %s", got)
		}
		r.ClearFaults()
		one := 1
		r.fault(Fault{Op: opCommit, Shard: &one, Status: 500, Code: "InternalServerError", Message: "m"})
		r.want(r.commit("c1", 0, at, true), 200, "")
		r.wantCode(r.commit("c1", 1, r.cursor(1, "begin"), true), 500, "InternalServerError")
		r.ClearFaults()

		r.fault(Fault{Op: opListShards, Project: "p", Logstore: "ls", Skip: 1, Times: 2, Status: 503, Code: "ServerBusy", Message: "m"})
		r.want(r.do("GET", "/logstores/other/consumergroups", ""), 200, "[]")
		r.do("GET", "/logstores/other/shards", "")
		r.do("GET", "/logstores/ls/shards", "", "Host: q.sls.test")
		for i, want := range []int{200, 503, 503, 200, 200} {
			if a := list(); a.status != want {
				t.Errorf("request %d: %d, want %d", i, a.status, want)
			}
		}
		if n := len(r.faults.list()); n != 0 {
			t.Errorf("%d faults are left", n)
		}

		r.fault(Fault{Latency: 3 * time.Second})
		n := r.fault(Fault{Op: opListShards, Latency: 2 * time.Second, Times: 1})
		start := time.Now()
		if a := list(); a.status != 200 || time.Since(start) != 5*time.Second {
			t.Errorf("%d after %v", a.status, time.Since(start))
		}
		r.RemoveFault(n)
		r.ClearFaults()
		r.fault(Fault{Consumer: "c2", Status: 403, Code: "MetaOperationQpsLimitExceeded", Message: "m"})
		r.wantCode(r.beat("c2", "[]"), 403, "MetaOperationQpsLimitExceeded")
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		r.ClearFaults()
		r.fault(Fault{Op: "PullLogs", Code: "ReadQuotaExceed"})
		r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+at, ""), 403, "ReadQuotaExceed")
		r.fault(Fault{Op: "PutLogs", Code: "WriteQuotaExceed"})
		r.wantCode(r.put(lowKey, sample), 403, "WriteQuotaExceed")
		r.ClearFaults()
		for code, status := range map[string]int{
			"ReadQuotaExceed": 403, "WriteQuotaExceed": 403, "ConsumerNotMatch": 400, "NotExistConsumerWithBody": 400,
			"ServerBusy": 503, "InternalServerError": 500,
		} {
			r.fault(Fault{Code: code})
			r.wantCode(list(), status, code)
			r.ClearFaults()
		}
		for _, f := range []Fault{{Op: "Nothing"}, {Status: 200}, {Status: 600}, {Code: "NotDocumented"}, {Skip: -1}, {Times: -1}, {Latency: -1}} {
			var faults *shardset.ConfigError
			if _, err := r.AddFault(f); !errors.As(err, &faults) || len(faults.Faults) != 1 {
				t.Errorf("%+v: got %v, want a *shardset.ConfigError with one fault", f, err)
			}
		}
		_ = r.Close()
	})
}

func TestEvictAndExpire(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	r.want(r.beat("c2", "[]"), 200, "[]")
	if err := r.Evict("p", "ls", "g", "c1"); err != nil {
		t.Fatal(err)
	}
	r.wantCode(r.beat("c1", "[0]"), 400, "NotExistConsumerWithBody")
	r.wantCode(r.commit("c1", 0, r.cursor(0, "begin"), false), 404, "ConsumerNotExist")
	r.want(r.beat("c2", "[]"), 200, "[0,1]")
	for range 5 {
		r.want(r.put(lowKey, sample), 200, "")
	}
	begin := r.cursor(0, "begin")
	if err := r.Expire("p", "ls", 0, 2); err != nil || r.cursor(0, "begin") != plus(begin, 2) {
		t.Errorf("%v, it begins at %s", err, r.cursor(0, "begin"))
	}
	r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+begin, ""), 400, "InvalidCursor")
	if err := r.Expire("p", "ls", 0, -1); err != nil || r.cursor(0, "begin") != plus(begin, 5) {
		t.Errorf("%v, it begins at %s", err, r.cursor(0, "begin"))
	}
	r.do("POST", "/logstores/ls/shards/0?action=split", "")
	if err := r.Expire("p", "ls", 0, -1); err != nil || len(r.shardList()) != 3 {
		t.Errorf("%v, a read-only shard without data is still there", err)
	}
	for _, err := range []error{
		r.Evict("p", "ls", "g", "c9"), r.Evict("p", "ls", "h", "c1"), r.Evict("p", "no", "g", "c1"),
		r.Expire("p", "no", 0, 1), r.Expire("p", "ls", 0, 1),
	} {
		if !errors.Is(err, errNotFound) {
			t.Errorf("got %v", err)
		}
	}
}

func TestCutConnections(t *testing.T) {
	r := newRig(t, Config{})
	addr := r.listen()
	r.fault(Fault{Op: opListShards, Cut: true, Times: 1})
	w := dial(t, addr)
	_, _ = io.WriteString(w.conn, "GET /logstores/ls/shards HTTP/1.1\r\nHost: p.sls.test\r\n\r\n")
	if a, err := w.read(); !errors.Is(err, io.ErrUnexpectedEOF) || a.status != 200 || len(a.body) < 10 {
		t.Errorf("got %d %q, %v; want half an answer", a.status, a.body, err)
	}
	r.fault(Fault{Op: opPut, Cut: true, Times: 1})
	before := r.cursor(0, "end")
	put := "POST /logstores/ls/shards/route?key=" + lowKey + " HTTP/1.1\r\nHost: p.sls.test\r\nContent-Type: application/x-protobuf\r\n" +
		"x-log-bodyrawsize: 59\r\nContent-Length: 59\r\n\r\n" + string(sample)
	w = dial(t, addr)
	_, _ = io.WriteString(w.conn, put)
	if _, err := w.read(); err == nil {
		t.Error("there is an answer")
	}
	if got := r.cursor(0, "end"); got != plus(before, 1) {
		t.Error("the put was not carried out")
	}
	r.fault(Fault{Op: opPut, CutBefore: true, Times: 1})
	w = dial(t, addr)
	_, _ = io.WriteString(w.conn, put)
	if _, err := w.read(); err == nil {
		t.Error("there is an answer")
	}
	if got := r.cursor(0, "end"); got != plus(before, 1) {
		t.Error("the put was carried out")
	}
}

func TestAdmin(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, true)
	r.want(r.beat("c1", "[]"), 200, "[0,1]")
	h := r.admin()
	do := func(method, target, body string) (int, string) {
		req := httptest.NewRequest(method, "http://127.0.0.1:99"+target, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"POST", "/logstores", `{"project":"n","logstore":"x","shards":3}`, 200, "{}"},
		{"POST", "/logstores", `{"project":"n","logstore":"x"}`, 409, "exists"},
		{"POST", "/faults", `{"op":"ListShards","status":403,"code":"X","message":"m","times":1}`, 200, `{"number":1}`},
		{"POST", "/faults", `{"op":"ListShards","latency":1}`, 200, `{"number":2}`},
		{"POST", "/faults", `{"op":"None"}`, 400, "no operation"},
		{"POST", "/faults", `{"nonsense":1}`, 400, "unknown field"},
		{"POST", "/faults", `{} {}`, 400, "follows"},
		{"GET", "/faults", "", 200, `"1":{"op":"ListShards"`},
		{"DELETE", "/faults/1", "", 200, "{}"},
		{"DELETE", "/faults/x", "", 400, "invalid"},
		{"DELETE", "/faults", "", 200, "{}"},
		{"GET", "/faults", "", 200, "{}"},
		{"GET", "/state?project=p&logstore=ls", "", 200, `"Name":"c1"`},
		{"GET", "/state?project=p&logstore=no", "", 404, "not exist"},
		{"GET", "/stats", "", 200, `"ConsumerGroupHeartBeat":1`},
		{"POST", "/evict", `{"project":"p","logstore":"ls","group":"g","consumer":"c1"}`, 200, "{}"},
		{"POST", "/evict", `{"project":"p","logstore":"ls","group":"g","consumer":"c1"}`, 404, "not exist"},
		{"POST", "/expire", `{"project":"p","logstore":"ls","shard":1,"groups":1}`, 200, "{}"},
		{"POST", "/expire", `{"project":"p","logstore":"ls","shard":1}`, 200, "{}"},
		{"GET", "/nothing", "", 404, "not found"},
	} {
		status, body := do(c.method, c.target, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %s: %d %s", c.method, c.target, c.body, status, body)
		}
	}
	if a := r.do("GET", "/logstores/x/shards", "", "Host: n.sls.test"); a.status != 200 {
		t.Errorf("the new logstore: %d %s", a.status, a.body)
	}
	for _, host := range []string{"evil.example", "10.0.0.1:80"} {
		req := httptest.NewRequest("GET", "http://"+host+"/stats", nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	req := httptest.NewRequest("POST", "http://localhost/faults", strings.NewReader("{}"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != 400 {
		t.Errorf("without a content type: %d", w.Code)
	}
}

// TestFaultJSON: the administration takes a fault as the Go API has it.
func TestFaultJSON(t *testing.T) {
	fault, shard := Fault{Op: "PullLogs", Code: "ReadQuotaExceed", Status: 403, Message: "Read QPS Exceed", Times: 2}, 7
	data, err := json.Marshal(fault)
	var back Fault
	if err != nil || json.Unmarshal(data, &back) != nil || fmt.Sprint(back) != fmt.Sprint(fault) || bytes.Contains(data, []byte("atency")) {
		t.Errorf("%s, %v", data, err)
	}
	fault.Shard, fault.Latency = &shard, time.Second
	data, err = json.Marshal(fault)
	if err != nil || json.Unmarshal(data, &back) != nil || *back.Shard != shard || back.Latency != time.Second {
		t.Errorf("%s, %v", data, err)
	}
}
