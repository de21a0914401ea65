package slsserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat"
)

func TestProjects(t *testing.T) {
	r := newRig(t, Config{Projects: []Project{
		{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}},
		{Name: "q.r", Logstores: []Logstore{{Name: "ls", Shards: 2}}},
		{Name: "q", Logstores: []Logstore{{Name: "ls", Shards: 3}}},
	}})
	for _, c := range []struct {
		host, path string
		shards     int // negative: a status
	}{
		{"q.cn-hangzhou.log.aliyuncs.com", "", 3},
		{"q.sls.test:80", "", 3},
		{"q.localhost:8080", "", 3},
		{"q.127.0.0.1:8080", "", 3},
		{"q.127.0.0.1", "", 3},
		{"q.r.127.0.0.1", "", 2},
		{"127.0.0.1:8080", "", 1},
		{"127.0.0.1:8080", "/q", 3},
		{"127.0.0.1:8080", "//q/", 3},
		{"127.0.0.1:8080", "/", 1},
		{"localhost", "/q.r", 2},
		{"[::1]:8080", "/q", 3},
		{"none.sls.test", "", -404},
		{"127.0.0.1", "/none", -404},
		{"-.sls.test", "", -404},
		{"..127.0.0.1", "", -404},
	} {
		a := r.do("GET", c.path+"/logstores/ls/shards", "", "Host: "+c.host)
		if c.shards < 0 {
			r.wantCode(a, -c.shards, "ProjectNotExist")
			continue
		}
		if a.status != 200 || strings.Count(a.body, "shardID") != c.shards {
			t.Errorf("%s %s: %d %s", c.host, c.path, a.status, a.body)
		}
	}
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/logstores/ls/shards", nil))
	if a := (answer{w.Code, w.Header(), w.Body.String()}); a.status != 400 || a.code() != "InvalidHost" {
		t.Errorf("no project at all: %+v", a)
	}
}

func TestPaths(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	for _, path := range []string{"/logstores/ls/shards", "//logstores//ls///shards", "/logstores/l%73/shards"} {
		if a := r.do("GET", path, ""); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/logstores/ls/consumergroups/", 405, "InvalidMethod"},
		{"POST", "/logstores/ls/consumergroups/?type=heartbeat&consumer=c", 405, "InvalidMethod"},
		{"GET", "/logstores/ls/shards/", 405, "InvalidMethod"},
		{"PUT", "/", 405, "InvalidMethod"},
		{"PUT", "/logstores", 405, "InvalidMethod"},
		{"DELETE", "/logstores", 405, "InvalidMethod"},
		{"PUT", "/logstores/ls", 405, "InvalidMethod"},
		{"GET", "/logstores/ls?type=log&from=1&to=2", 405, "InvalidMethod"},
		{"POST", "/logstores/ls/index", 405, "InvalidMethod"},
		{"PATCH", "/logstores/ls/shards", 405, "InvalidMethod"},
		{"DELETE", "/logstores/ls/shards/0", 405, "InvalidMethod"},
		{"PUT", "/logstores/ls/consumergroups", 405, "InvalidMethod"},
		{"GET", "/logstores/ls/shards/0/more", 405, "InvalidMethod"},
		{"GET", "/logstores/ls/other", 405, "InvalidMethod"},
		{"GET", "/consumergroups", 405, "InvalidMethod"},
		{"GET", "/logstores/none/shards", 404, "LogStoreNotExist"},
		{"GET", "/logstores/.hidden/shards", 400, "ParameterInvalid"},
		{"GET", "/logstores/../shards", 400, "ParameterInvalid"},
		{"GET", "/logstores/a%2fb/shards", 400, "ParameterInvalid"},
		{"GET", "/logstores/a%00/shards", 400, "ParameterInvalid"},
		{"GET", "/logstores/a%0d%0a/shards", 400, "ParameterInvalid"},
		{"GET", "/logstores/%2e%2e/shards", 400, "ParameterInvalid"},
		{"GET", "/logstores/ls/consumergroups/a%20b", 400, "ParameterInvalid"},
		{"GET", "/logstores/ls/shards/99999999999", 400, "ParameterInvalid"},
		{"GET", "/logstores/ls/shards/0", 400, "ParameterInvalid"},
		{"GET", "/logstores/ls/shards/0?type=other", 400, "ParameterInvalid"},
		{"GET", "/logstores/ls/shards/0?type=cursor&type=logs", 400, "ParameterInvalid"},
		{"GET", "/logstores/ls/shards/0?type=%zz", 400, "ParameterInvalid"},
		{"POST", "/logstores/ls/consumergroups/g?type=leave&consumer=c", 400, "ParameterInvalid"},
	} {
		a := r.do(c.method, c.path, "")
		if a.status != c.status || a.code() != c.code {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, a.status, a.body, c.status, c.code)
		}
	}
	if a := r.do("GET", "/logstores/ls/consumergroups/", ""); !strings.Contains(a.body, "invalid request method : /logstores/ls/consumergroups/") {
		t.Errorf("the message is %s", a.body)
	}
}

// TestAbsoluteForm is what a client sends to a proxy.
func TestAbsoluteForm(t *testing.T) {
	r := newRig(t, Config{})
	w := dial(t, r.listen())
	a := w.send("GET http://p.sls.test/logstores/ls/shards HTTP/1.1\nHost: p.sls.test\n\n")
	if a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = w.send("GET http://nobody.sls.test/logstores/ls/shards HTTP/1.1\nHost: p.sls.test\n\n")
	if a.code() != "ProjectNotExist" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("POST", "/logstores/ls/consumergroups/g?type=heartbeat&consumer=c", "[0]", "p.sls.test", "LOG a:b", "application/json")
	f.Add("POST", "/logstores/ls/consumergroups/g?type=checkpoint&consumer=c", `{"shard":0,"checkpoint":"MTIz"}`, "h", "", "application/json")
	f.Add("POST", "/logstores/ls/shards/route?key="+lowKey, string(sample), "p.127.0.0.1:80", "", "application/x-protobuf")
	f.Add("GET", "/p//logstores/ls/shards/0?type=logs&cursor=MTIz&query=*", "", "127.0.0.1", "SLS4-HMAC-SHA256 Credential=a/b/c/sls/aliyun_v4_request,Signature=00", "")
	f.Add("PUT", "/%2e%2e/logstores/ls/consumergroups/g", `{"timeout":1}`, "..", "LOG :", "application/json")
	f.Add("POST", "/", `{"projectName":"q","description":"d"}`, "127.0.0.1", "", "application/json")
	f.Add("POST", "/p/logstores", `{"logstoreName":"x","ttl":1.0,"shardCount":2,"more":{"a":[1]}}`, "[::1]:80", "", "application/json")
	f.Add("DELETE", "/logstores/ls", "", "P.Sls.Test.", "", "")
	f.Add("GET", "/?offset=0&size=1", "", "cn-hangzhou.sls.aliyuncs.com", "", "")
	servers := [2]*Server{}
	for i := range servers {
		cfg := Config{Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls"}}}}, MaxShards: 100, RetentionBytes: 1 << 16}
		if i == 1 {
			cfg.Keys = []Key{{ID: "a", Secret: heartbeat.NewSecret("b")}}
		}
		s, err := New(cfg)
		if err != nil {
			f.Fatal(err)
		}
		servers[i] = s
	}
	f.Fuzz(func(t *testing.T, method, target, body, host, auth, contentType string) {
		req, err := http.NewRequest(method, "http://x"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		req.Host = host
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("X-Log-Bodyrawsize", "59")
		if auth != "" {
			req.Header.Set("Authorization", auth)
			req.Header.Set("X-Log-Apiversion", "0.6.0")
			req.Header.Set("X-Log-Signaturemethod", "hmac-sha1")
			req.Header.Set("X-Log-Date", "20261123T093000Z")
		}
		for i, s := range servers {
			_, _ = s.makeProject("p", ""), s.CreateLogstore("p", Logstore{Name: "ls"}) // if one was deleted
			r := req.Clone(req.Context())
			r.Body = http.NoBody
			if body != "" {
				r.Body = newBody(body)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			a := answer{w.Code, w.Header(), w.Body.String()}
			if a.status >= 500 || a.status != 200 && strings.HasPrefix(a.code(), "no error") || i == 1 && a.status == 200 {
				t.Errorf("server %d: %s %s: %d %s", i, method, target, a.status, a.body)
			}
		}
	})
}

func FuzzSignatureHeaders(f *testing.F) {
	f.Add("LOG id:sig", "Mon, 23 Nov 2026 09:30:00 GMT", "0.6.0", "hmac-sha1")
	f.Add("SLS4-HMAC-SHA256 Credential=id/20261123/r/sls/aliyun_v4_request,Signature=00", "20261123T093000Z", "0.6.0", "")
	f.Fuzz(func(t *testing.T, auth, date, version, method string) {
		h := http.Header{}
		h.Set("Authorization", auth)
		h.Set("X-Log-Date", date)
		h.Set("X-Log-Apiversion", version)
		h.Set("X-Log-Signaturemethod", method)
		if c, err := readClaim(h); err == nil && (c.id == "" || c.at.IsZero() && c.date == "") {
			t.Errorf("%q gives %+v", auth, c)
		}
	})
}
