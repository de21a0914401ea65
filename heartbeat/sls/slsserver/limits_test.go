package slsserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func newBody(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

func TestBodyLimits(t *testing.T) {
	r := newRig(t, Config{MaxPutBytes: 1000})
	w := dial(t, r.listen())
	head := " HTTP/1.1\nHost: p.sls.test\nContent-Type: application/json\n"
	a := w.send("POST /logstores/ls/consumergroups" + head + "Content-Length: 1048577\n\n")
	if a.status != 413 || a.code() != "PostBodyTooLarge" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w = dial(t, w.addr) // without a length, it is found out on the way
	chunk := strings.Repeat("x", 1<<20)
	a = w.send("POST /logstores/ls/consumergroups" + head + "Transfer-Encoding: chunked\n\n" +
		fmt.Sprintf("%x\r\n%s\r\n2\r\nab\r\n0\r\n\r\n", len(chunk), chunk))
	if a.status != 413 || a.code() != "PostBodyTooLarge" {
		t.Errorf("chunked: %d %s", a.status, a.body)
	}
	w = dial(t, w.addr)
	a = w.send("GET /logstores/ls/shards HTTP/1.1\nHost: p.sls.test\nX: " + strings.Repeat("x", 64<<10) + "\n\n")
	if a.status != 431 {
		t.Errorf("headers: %d %s", a.status, a.body)
	}
	w = dial(t, w.addr) // what is bounded by the server itself gets the service's error
	a = w.send("GET /logstores/ls/shards?x=" + strings.Repeat("x", 2*maxTarget) + " HTTP/1.1\nHost: p.sls.test\n\n")
	if a.code() != "ParameterInvalid" {
		t.Errorf("parameters: %d %s", a.status, a.body)
	}
	w = dial(t, w.addr)
	a = w.send("POST /logstores/ls/consumergroups" + head + "Content-Length: 5\nTransfer-Encoding: chunked\n\n0\r\n\r\n")
	if a.status/100 == 2 {
		t.Errorf("two lengths: %d %s", a.status, a.body)
	}
	w = dial(t, w.addr)
	_, _ = io.WriteString(w.conn, "POST /logstores/ls/consumergroups HTTP/1.1\r\nHost: p.sls.test\r\nContent-Length: 5\r\n\r\n[")
	_ = w.conn.(*net.TCPConn).CloseWrite()
	if a, err := w.read(); err != nil || a.status != 400 {
		t.Errorf("half a body: %+v, %v", a, err)
	}
}

func TestInFlight(t *testing.T) {
	r := newRig(t, Config{MaxInFlight: 2})
	if _, err := r.AddFault(Fault{Op: opListShards, Latency: 200 * time.Millisecond, Times: 2}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { r.do("GET", "/logstores/ls/shards", "") })
	}
	for r.inFlight.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	r.wantCode(r.do("GET", "/logstores/ls/consumergroups", ""), 503, "ServerBusy")
	wg.Wait()
	r.want(r.do("GET", "/logstores/ls/consumergroups", ""), 200, "[]")
}

func TestListenRefuses(t *testing.T) {
	open := newRig(t, Config{})
	if l, err := open.Listen("0.0.0.0:0"); err == nil {
		_ = l.Close()
		t.Error("it listens on every address without keys")
	}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Serve(l); err == nil {
		t.Error("it serves on every address without keys")
	}
	for _, cfg := range []Config{{Insecure: true}, {Keys: []Key{{ID: "a", Secret: heartbeat.NewSecret("b")}}}} {
		l, err := newRig(t, cfg).Listen("0.0.0.0:0")
		if err != nil {
			t.Error(err)
			continue
		}
		_ = l.Close()
	}
	if l, err = net.Listen("tcp", "0.0.0.0:0"); err != nil {
		t.Fatal(err)
	}
	if err := newRig(t, Config{Insecure: true}).ServeAdmin(l); err == nil {
		t.Error("the admin is served on every address")
	}
}

func TestClosed(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	r.want(r.beat("c", "[]"), 200, "[0,1]")
	addr := r.listen()
	ls, err := r.findLogstore("p", "ls")
	if err != nil {
		t.Fatal(err)
	}
	g := ls.group("g")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	// The answer to a request at work must not say that its group is deleted.
	if _, err := g.heartbeat("c", nil); !errors.Is(err, errClosed) {
		t.Errorf("a late heartbeat: %v", err)
	}
	r.wantCode(r.beat("c", "[0,1]"), 503, "ServerBusy")
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("it still listens")
	}
	if err := r.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := r.CreateLogstore("p", Logstore{Name: "late"}); err == nil {
		t.Error("a logstore was created")
	}
}

// TestPanicIsContained: the answer says nothing of the stack, and the log does.
func TestPanicIsContained(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	r := newRig(t, Config{Logger: zap.New(core)})
	r.mu.Lock()
	r.projects["p"].logstores["broken"] = nil
	r.projects["p"].logstores["empty"] = &logstore{shards: []*shard{nil}}
	r.mu.Unlock()
	a := r.do("GET", "/logstores/empty/shards", "")
	r.want(a, 500, `{"errorCode":"InternalServerError","errorMessage":"internal error"}`)
	if entries := logs.FilterMessageSnippet("panic").All(); len(entries) != 1 || entries[0].ContextMap()["stack"] == nil {
		t.Errorf("the log has %v", entries)
	}
	r.mu.Lock()
	delete(r.projects["p"].logstores, "broken")
	delete(r.projects["p"].logstores, "empty")
	r.mu.Unlock()
}

func TestConfigFaultsAreAllNamed(t *testing.T) {
	_, err := New(Config{
		Projects: []Project{
			{Name: "..", Logstores: []Logstore{{Name: "a/b"}, {Name: "ok", Shards: -1}}},
			{Name: "p", Processors: map[string]string{"x": "bad"}},
		},
		DefaultProject: "a b", Keys: []Key{{}, {ID: "a"}, {ID: "b,c", Secret: heartbeat.NewSecret("s")}, {ID: "d", Secret: heartbeat.NewSecret("s"), Token: heartbeat.NewSecret("t\n")}, {ID: "e", Secret: heartbeat.NewSecret("s")}, {ID: "e", Secret: heartbeat.NewSecret("s")}}, Retention: -1, ClockSkew: -1, MaxGroups: -1, MaxPutBytes: 1 << 30,
	})
	var faults *shardset.ConfigError
	if !errors.As(err, &faults) {
		t.Fatalf("New returned %v, want a *shardset.ConfigError", err)
	}
	got := map[string]string{}
	for _, f := range faults.Faults {
		got[f.Field] = f.Reason
	}
	for field, want := range map[string]string{
		"Projects[0].Name": `".."`, "Projects[0].Logstores[0].Name": `"a/b"`, "Projects[0].Logstores[1].Shards": "-1",
		`Projects[1].Processors["x"]`: "query", "DefaultProject": `"a b"`,
		"Keys[0]": "there is no access key id", "Keys[1]": `"a") is no key: there is no access key secret`,
		"Keys[2]": `"b,c") is no key: the access key id has a comma`, "Keys[3]": `"d") is no key: the security token has a blank`,
		"Keys[5]": "as another key", "Retention": "-1ns", "ClockSkew": "-1ns", "MaxGroups": "-1", "MaxPutBytes": "1073741824",
	} {
		if !strings.Contains(got[field], want) {
			t.Errorf("the reason for %s is %q, want %s", field, got[field], want)
		}
	}
	if len(got) != 14 || len(faults.Faults) != 14 {
		t.Errorf("%d faults: %v", len(faults.Faults), err)
	}
}

func TestGoAPI(t *testing.T) {
	r := newRig(t, Config{})
	for want, err := range map[string]error{
		"bad project name":      r.makeProject("a/b", ""),
		"it exists already":     r.makeProject("p", ""),
		"does not exist":        r.CreateLogstore("none", Logstore{Name: "x"}),
		"Name is \"x/y\"":       r.CreateLogstore("p", Logstore{Name: "x/y"}),
		"\"ls\": it exists alr": r.CreateLogstore("p", Logstore{Name: "ls"}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := r.CreateLogstore("p", Logstore{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.logstoreNames("p"), r.logstoreNames("none")); got != "[ls new] []" {
		t.Errorf("logstores: %s", got)
	}
	if a := r.do("GET", "/logstores/new/shards", ""); strings.Count(a.body, "shardID") != 2 {
		t.Errorf("shards: %s", a.body)
	}
}
