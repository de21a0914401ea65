package slsserver

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rig is a server with the project p and the logstore ls, spoken to in process, so that
// it runs on the false clock of testing/synctest as well.
type rig struct {
	t *testing.T
	*Server
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	if cfg.Projects == nil {
		cfg.Projects = []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 2}}}}
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &rig{t, s}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) code() string {
	var e struct {
		Code    string `json:"errorCode"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal([]byte(a.body), &e) != nil || a.status != 200 && e.Message == "" {
		return "no error: " + a.body
	}
	return e.Code
}

// do sends a request. Headers are "name: value" lines.
func (r *rig) do(method, target, body string, headers ...string) answer {
	r.t.Helper()
	req := httptest.NewRequest(method, "http://p.sls.test"+target, strings.NewReader(body))
	if body == "" {
		req.Body, req.ContentLength = nil, 0
	} else if len(headers) == 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if id := w.Header().Get("x-log-requestid"); len(id) != 24 || strings.ToUpper(id) != id {
		r.t.Errorf("%s %s: the request id is %q", method, target, id)
	}
	if enc := w.Header().Get("Content-Encoding"); enc != "" {
		r.t.Errorf("%s %s: the answer is encoded: %q", method, target, enc)
	}
	return answer{w.Code, w.Header(), w.Body.String()}
}

func (r *rig) want(a answer, status int, body string) {
	r.t.Helper()
	if a.status != status || a.body != body {
		r.t.Errorf("got %d %q, want %d %q", a.status, a.body, status, body)
	}
}

func (r *rig) wantCode(a answer, status int, code string) {
	r.t.Helper()
	if a.status != status || a.code() != code {
		r.t.Errorf("got %d %q, want %d %s", a.status, a.body, status, code)
	}
}

const groupPath = "/logstores/ls/consumergroups/g"

func (r *rig) createGroup(timeout int, order bool) {
	r.t.Helper()
	body := fmt.Sprintf(`{"consumerGroup":"g","timeout":%d,"order":%v}`, timeout, order)
	r.want(r.do("POST", "/logstores/ls/consumergroups", body), 200, "")
}

func (r *rig) beat(consumer, held string) answer {
	r.t.Helper()
	return r.do("POST", groupPath+"?consumer="+consumer+"&type=heartbeat", held)
}

func (r *rig) commit(consumer string, shard int, cursor string, forced bool) answer {
	r.t.Helper()
	return r.do("POST", fmt.Sprintf("%s?consumer=%s&forceSuccess=%v&type=checkpoint", groupPath, consumer, forced),
		fmt.Sprintf(`{"checkpoint":%q,"shard":%d}`, cursor, shard))
}

func (r *rig) cursor(shard int, from string) string {
	r.t.Helper()
	a := r.do("GET", fmt.Sprintf("/logstores/ls/shards/%d?type=cursor&from=%s", shard, from), "")
	var c struct{ Cursor string }
	if a.status != 200 || json.Unmarshal([]byte(a.body), &c) != nil {
		r.t.Fatalf("cursor %s of shard %d: %d %s", from, shard, a.status, a.body)
	}
	return c.Cursor
}

// put writes a log group uncompressed to the shard that takes the key.
func (r *rig) put(key string, group []byte) answer {
	r.t.Helper()
	return r.do("POST", "/logstores/ls/shards/route?key="+key, string(group),
		"Content-Type: application/x-protobuf", "x-log-bodyrawsize: "+strconv.Itoa(len(group)))
}

const (
	lowKey  = "00000000000000000000000000000000"
	midKey  = "80000000000000000000000000000000"
	highKey = "f0000000000000000000000000000000"
)

// sample is the worked example of the protocol's description: 59 bytes.
var sample = unhex("0a2308f8b2939e0512160a07546573744b6579120b54657374436f6e74656e742515cd5b071a017422093132372e302e302e3132060a016b120176")

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// logGroup makes a log group of one log with the given pairs of keys and values.
func logGroup(pairs ...string) []byte {
	field := func(tag byte, v []byte) []byte {
		return append(binary.AppendUvarint([]byte{tag}, uint64(len(v))), v...)
	}
	log := binary.AppendUvarint([]byte{0x08}, uint64(time.Now().Unix()))
	for i := 0; i < len(pairs); i += 2 {
		pair := append(field(0x0a, []byte(pairs[i])), field(0x12, []byte(pairs[i+1]))...)
		log = append(log, field(0x12, pair)...)
	}
	return field(0x0a, log)
}
