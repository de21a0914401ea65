package slsserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// infoOf decodes an answer, whatever it has.
func (r *rig) infoOf(a answer) map[string]any {
	r.t.Helper()
	var m map[string]any
	if a.status != 200 || json.Unmarshal([]byte(a.body), &m) != nil {
		r.t.Errorf("got %d %s", a.status, a.body)
	}
	return m
}

// TestSetUp is what sample and set-up code of the official SDKs sends first, with their bodies.
func TestSetUp(t *testing.T) {
	r := newRig(t, Config{})
	at := "Host: new.sls.test"
	js := "Content-Type: application/json"
	r.wantCode(r.do("GET", "/", "", at), 404, "ProjectNotExist") // Go's CheckProjectExist
	r.wantCode(r.do("GET", "/logstores", "", at), 404, "ProjectNotExist")
	r.want(r.do("POST", "/", `{"projectName":"new","description":"made by a test"}`, at, js), 200, "")
	r.wantCode(r.do("POST", "/", `{"projectName":"new","description":""}`, at, js), 400, "ProjectAlreadyExist")
	p := r.infoOf(r.do("GET", "/", "", at))
	for name, want := range map[string]any{
		"projectName": "new", "description": "made by a test", "status": "Normal", "region": "", "owner": "",
		"resourceGroupId": "", "dataRedundancyType": "LRS",
	} {
		if p[name] != want {
			t.Errorf("the %s is %v, want %v", name, p[name], want)
		}
	}
	for _, name := range []string{"createTime", "lastModifyTime"} { // strings, which Python joins
		text, _ := p[name].(string)
		if at, err := time.ParseInLocation(time.DateTime, text, time.Local); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("%s is %v: %v", name, p[name], err)
		}
	}

	r.want(r.do("GET", "/logstores", "", at), 200, `{"count":0,"total":0,"logstores":[]}`)
	for _, body := range []string{
		`{"logstoreName":"go","ttl":3,"shardCount":2,"enable_tracking":false,"autoSplit":true,"maxSplitShard":64,"appendMeta":false,"telemetryType":""}`,
		`{"logstoreName":"python","ttl":30,"shardCount":3,"enable_tracking":false,"autoSplit":true,"maxSplitShard":64,"appendMeta":true,"telemetryType":""}`,
		`{"logstoreName":"java","ttl":1,"shardCount":1,"enable_tracking":false,"encrypt_conf":{"enable":false,"user_cmk_info":{"a":[1,[2]]}}}`,
		`{"logstoreName":"least"}`,
	} {
		r.want(r.do("POST", "/logstores", body, at, js), 200, "")
		r.wantCode(r.do("POST", "/logstores", body, at, js), 400, "LogStoreAlreadyExist")
	}
	r.want(r.do("GET", "/logstores", "", at), 200, `{"count":4,"total":4,"logstores":["go","java","least","python"]}`)
	for query, want := range map[string]string{
		"offset=0&size=100":                  `{"count":4,"total":4,"logstores":["go","java","least","python"]}`,
		"logstoreName=&offset=&size=":        `{"count":4,"total":4,"logstores":["go","java","least","python"]}`,
		"offset=1&size=2":                    `{"count":2,"total":4,"logstores":["java","least"]}`,
		"offset=9&size=9223372036854775807":  `{"count":0,"total":4,"logstores":[]}`,
		"logstoreName=a&offset=0&size=1":     `{"count":1,"total":2,"logstores":["java"]}`,
		"offset=0&size=0&telemetryType=None": `{"count":0,"total":4,"logstores":[]}`,
		"telemetryType=Metrics":              `{"count":0,"total":0,"logstores":[]}`,
	} {
		r.want(r.do("GET", "/logstores?"+query, "", at), 200, want)
	}
	for name, want := range map[string][2]float64{"go": {3, 2}, "python": {30, 3}, "java": {1, 1}, "least": {3650, 2}} {
		m := r.infoOf(r.do("GET", "/logstores/"+name, "", at))
		if m["logstoreName"] != name || m["ttl"] != want[0] || m["shardCount"] != want[1] || m["enable_tracking"] != false || m["createTime"] == 0.0 {
			t.Errorf("%s: %v", name, m)
		}
	}
	r.wantCode(r.do("GET", "/logstores/none", "", at), 404, "LogStoreNotExist") // Go's CheckLogstoreExist
	r.wantCode(r.do("GET", "/logstores/go/index", "", at), 404, "IndexConfigNotExist")
	r.wantCode(r.do("GET", "/logstores/none/index", "", at), 404, "LogStoreNotExist")

	r.want(r.do("DELETE", "/logstores/go", "", at), 200, "")
	r.wantCode(r.do("DELETE", "/logstores/go", "", at), 404, "LogStoreNotExist")
	r.want(r.do("DELETE", "/", "", at), 200, "")
	r.wantCode(r.do("DELETE", "/", "", at), 404, "ProjectNotExist")
	r.wantCode(r.do("GET", "/logstores/python/shards", "", at), 404, "ProjectNotExist")
	if a := r.do("GET", "/logstores/ls/shards", ""); a.status != 200 {
		t.Errorf("the other project: %d %s", a.status, a.body)
	}
}

// TestProjectOfARequest: each way in which clients say which project they mean.
func TestProjectOfARequest(t *testing.T) {
	r := newRig(t, Config{Insecure: true})
	js := "Content-Type: application/json"
	list := func(a answer) string {
		m := r.infoOf(a)
		names := []string{}
		projects, _ := m["projects"].([]any)
		for _, p := range projects {
			names = append(names, p.(map[string]any)["projectName"].(string))
		}
		return fmt.Sprint(names, m["count"], m["total"])
	}
	// Node and the CLI name it in the body only.
	r.want(r.do("POST", "/", `{"projectName":"a1"}`, "Host: 127.0.0.1:80", js), 200, "")
	r.want(r.do("POST", "/", `{"projectName":"a2"}`, "Host: cn-hangzhou.log.aliyuncs.com", js), 200, "")
	r.want(r.do("POST", "/b1", `{"projectName":"b1"}`, "Host: 127.0.0.1:80", js), 200, "")
	r.want(r.do("POST", "/b2/", `{"projectName":"b2"}`, "Host: 127.0.0.1:80", js), 200, "")
	r.want(r.do("POST", "/", `{"projectName":"c"}`, "Host: c.sls.internal", js), 200, "") // a suffix that it does not know
	// Lists: of a region's endpoint, of an address, of a path.
	for _, c := range []struct{ host, target, want string }{
		{"127.0.0.1:80", "/", "[a1 a2 b1 b2 c p] 6 6"},
		{"cn-hangzhou.log.aliyuncs.com", "/", "[a1 a2 b1 b2 c p] 6 6"},
		{"cn-hangzhou.sls.aliyuncs.com", "/?offset=1&size=2", "[a2 b1] 2 6"},
		{"127.0.0.1:80", "/?offset=0&size=500&projectName=b", "[b1 b2] 2 2"},
		{"127.0.0.1:80", "/p/?offset=4&size=500", "[c p] 2 6"},
		{"p.sls.test", "/?size=1", "[a1] 1 6"},
	} {
		if got := list(r.do("GET", c.target, "", "Host: "+c.host)); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.host, c.target, got, c.want)
		}
	}
	// Python with the project "" asks for the default one in the words of Go's list.
	if m := r.infoOf(r.do("GET", "/", "", "Host: 127.0.0.1")); m["projectName"] != "p" || m["status"] != "Normal" {
		t.Errorf("the default project: %v", m)
	}
	r.wantCode(r.do("POST", "/", `{"projectName":"","description":""}`, "Host: 127.0.0.1", js), 400, "ProjectAlreadyExist")
	for _, c := range []struct{ host, target, want string }{
		{"b1.sls.test", "/", "b1"}, {"127.0.0.1", "/b2/", "b2"}, {"127.0.0.1", "/b2", "b2"}, {"a1.[::1]:80", "/", "a1"},
	} {
		if m := r.infoOf(r.do("GET", c.target, "", "Host: "+c.host)); m["projectName"] != c.want || m["projects"] != nil {
			t.Errorf("%s%s: %v", c.host, c.target, m)
		}
	}
	for _, c := range []struct {
		method, host, target, body string
		status                     int
		code                       string
	}{
		{"POST", "p.sls.test", "/", `{"projectName":"other"}`, 400, "ParameterInvalid"},
		{"POST", "127.0.0.1", "/p", `{"projectName":"other"}`, 400, "ParameterInvalid"},
		{"POST", "127.0.0.1", "/", `{"projectName":"a/b"}`, 400, "ParameterInvalid"},
		{"POST", "127.0.0.1", "/", `{"projectName":5}`, 400, "JsonInfoInvalid"},
		{"POST", "127.0.0.1", "/", `[]`, 400, "JsonInfoInvalid"},
		{"POST", "127.0.0.1", "/", `{"projectName":"x","description":5}`, 400, "ParameterInvalid"},
		{"POST", "127.0.0.1", "/", `{"projectName":"x","description":"` + strings.Repeat("d", 2000) + `"}`, 400, "ParameterInvalid"},
		{"POST", "cn-hangzhou.log.aliyuncs.com", "/", `{}`, 400, "ParameterInvalid"},
		{"DELETE", "p.sls.test", "/", `{"projectName":"a1"}`, 400, "ParameterInvalid"},
		{"DELETE", "cn-hangzhou.log.aliyuncs.com", "/", ``, 400, "ParameterInvalid"},
		{"DELETE", "none.sls.test", "/", ``, 404, "ProjectNotExist"},
		{"DELETE", "none.sls.internal", "/", ``, 404, "ProjectNotExist"},
		{"GET", "none.sls.internal", "/", ``, 404, "ProjectNotExist"},
		{"GET", "127.0.0.1", "/?offset=-1", ``, 400, "ParameterInvalid"},
		{"GET", "127.0.0.1", "/?size=x", ``, 400, "ParameterInvalid"},
		{"POST", "p.sls.test", "/logstores", `{"logstoreName":"a/b","ttl":1,"shardCount":1}`, 400, "ParameterInvalid"},
		{"POST", "p.sls.test", "/logstores", `{"ttl":1,"shardCount":1}`, 400, "LogStoreInfoInvalid"},
		{"POST", "p.sls.test", "/logstores", `{"logstoreName":"x","ttl":0,"shardCount":1}`, 400, "LogStoreInfoInvalid"},
		{"POST", "p.sls.test", "/logstores", `{"logstoreName":"x","ttl":3651,"shardCount":1}`, 400, "LogStoreInfoInvalid"},
		{"POST", "p.sls.test", "/logstores", `{"logstoreName":"x","ttl":1,"shardCount":0}`, 400, "LogStoreInfoInvalid"},
		{"POST", "p.sls.test", "/logstores", `{"logstoreName":"x","ttl":1,"shardCount":100000}`, 400, "LogStoreInfoInvalid"},
		{"POST", "p.sls.test", "/logstores", `{"logstoreName":"x","ttl":1,"shardCount":"2"}`, 400, "LogStoreInfoInvalid"},
		{"POST", "none.sls.test", "/logstores", `{"logstoreName":"x","ttl":1,"shardCount":1}`, 404, "ProjectNotExist"},
	} {
		a := r.do(c.method, c.target, c.body, "Host: "+c.host, js)
		if a.status != c.status || a.code() != c.code {
			t.Errorf("%s %s%s %.80s: %d %s, want %d %s", c.method, c.host, c.target, c.body, a.status, a.body, c.status, c.code)
		}
	}
	r.want(r.do("DELETE", "/", `{"projectName":"a1"}`, "Host: 127.0.0.1:80", js), 200, "") // Node
	r.want(r.do("DELETE", "/b1/", "", "Host: 127.0.0.1:80"), 200, "")                      // Go with a path
	if got := list(r.do("GET", "/", "", "Host: 127.0.0.1")); got != "[a2 b2 c p] 4 4" {
		t.Errorf("left are %s", got)
	}
	r.want(r.do("DELETE", "/", "", "Host: 127.0.0.1"), 200, "") // the default one, as all without a name
	r.wantCode(r.do("GET", "/logstores/ls/shards", "", "Host: 127.0.0.1"), 404, "ProjectNotExist")
}

// TestBoundedKeys: a key for some projects sees and makes those only.
func TestBoundedKeys(t *testing.T) {
	atVectorTime(t, func(c *Config) {
		c.Keys[0].Projects = []string{"my-project", "mine"}
		c.Projects = append(c.Projects, Project{Name: "other"})
	}, func(t *testing.T, s *Server) {
		send := func(method, body, host string) answer {
			v := request{method: method, target: "/", body: body}
			if body != "" {
				v.contentType = "application/json"
			}
			req := sign(v, true, "/", host)
			req.Host = host
			return sendTo(s, req)
		}
		a := send("GET", "", "127.0.0.1")
		if a.status != 200 || strings.Contains(a.body, "other") || !strings.Contains(a.body, "my-project") {
			t.Errorf("%d %s", a.status, a.body)
		}
		for _, c := range []struct {
			method, body, host string
			status             int
		}{
			{"POST", `{"projectName":"mine"}`, "127.0.0.1", 200},
			{"POST", `{"projectName":"theirs"}`, "127.0.0.1", 401},
			{"POST", `{"projectName":"theirs"}`, "theirs.sls.test", 401},
			{"DELETE", `{"projectName":"other"}`, "127.0.0.1", 401},
			{"DELETE", "", "other.sls.test", 401},
			{"GET", "", "other.sls.test", 401},
			{"DELETE", "", "mine.sls.test", 200},
		} {
			if a := send(c.method, c.body, c.host); a.status != c.status {
				t.Errorf("%s %s %s: %d %s, want %d", c.method, c.body, c.host, a.status, a.body, c.status)
			}
		}
	})
}

// TestShardsOfAllLogstores: what requests make is bounded in all, and what is deleted makes room.
func TestShardsOfAllLogstores(t *testing.T) {
	r := newRig(t, Config{MaxShards: 8, Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 2}}}}})
	create := func(name string, shards int) answer {
		return r.do("POST", "/logstores", fmt.Sprintf(`{"logstoreName":%q,"ttl":1,"shardCount":%d}`, name, shards))
	}
	for i := range 9 {
		r.want(create(fmt.Sprint("x", i), 8), 200, "")
	}
	r.wantCode(create("y", 7), 403, "ShardQuotaExceed")
	r.want(create("y", 4), 200, "") // 78 of 80
	if a := r.do("POST", "/logstores/ls/shards/0?action=split", ""); a.status != 200 {
		t.Errorf("the last two: %d %s", a.status, a.body)
	}
	r.wantCode(r.do("POST", "/logstores/ls/shards/1?action=split", ""), 403, "ShardQuotaExceed")
	r.wantCode(create("z", 1), 403, "ShardQuotaExceed")
	r.want(r.do("DELETE", "/logstores/x0", ""), 200, "")
	r.want(create("z", 8), 200, "")
}
