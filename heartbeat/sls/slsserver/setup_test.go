package slsserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// TestDeletionEndsAll: groups, members, positions and data of what is deleted are gone, and do not
// come back with the name.
func TestDeletionEndsAll(t *testing.T) {
	for _, what := range []string{"/logstores/ls", "/"} {
		for _, dir := range []string{"", t.TempDir()} {
			r := newRig(t, Config{Dir: dir})
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
			if _, err := g.beat("c1", nil); !errors.As(err, &e) || e.code != code {
				t.Errorf("a late heartbeat: %v", err)
			}
			if taken, err := sh.append(block{}, time.Now(), 0); taken || err != nil {
				t.Errorf("a late log group: %v, %v", taken, err)
			}
			if err := ls.createGroup("late", time.Second, false); !errors.As(err, &e) || e.code != "LogStoreNotExist" {
				t.Errorf("a late group: %v", err)
			}
			if err := ls.journal(); !errors.As(err, &e) || e.code != "LogStoreNotExist" {
				t.Errorf("a late split: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg")); dir != "" && len(left) > 0 {
				t.Errorf("files are left: %v", left)
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
}

// TestSetUpSurvives: what was made by requests, and what was deleted, is so after a kill, also when
// the journal was written anew.
func TestSetUpSurvives(t *testing.T) {
	js := "Content-Type: application/json"
	for _, anew := range []bool{false, true} {
		dir := t.TempDir()
		r := newRig(t, Config{Dir: dir})
		r.want(r.do("POST", "/", `{"projectName":"q","description":"of q"}`, "Host: q.sls.test", js), 200, "")
		r.want(r.do("POST", "/", `{"projectName":"gone"}`, "Host: gone.sls.test", js), 200, "")
		for _, project := range []string{"q", "gone"} {
			for _, name := range []string{"x", "y"} {
				body := fmt.Sprintf(`{"logstoreName":%q,"ttl":7,"shardCount":3}`, name)
				r.want(r.do("POST", "/logstores", body, "Host: "+project+".sls.test", js), 200, "")
			}
		}
		r.createGroup(60, true)
		r.want(r.put(lowKey, sample), 200, "")
		r.want(r.do("DELETE", "/logstores/y", "", "Host: q.sls.test"), 200, "")
		r.want(r.do("DELETE", "/", "", "Host: gone.sls.test"), 200, "")
		if anew {
			r.disk.mu.Lock()
			if err := r.disk.rewrite(); err != nil {
				t.Error(err)
			}
			r.disk.mu.Unlock()
		}
		again := r.reopen(copyDir(t, dir))
		for _, target := range []string{"/", "/logstores", "/logstores/x", "/logstores/x/shards"} {
			want := r.do("GET", target, "", "Host: q.sls.test")
			again.want(again.do("GET", target, "", "Host: q.sls.test"), 200, want.body)
		}
		again.want(again.do("GET", "/logstores", "", "Host: q.sls.test"), 200, `{"count":1,"total":1,"logstores":["x"]}`)
		again.wantCode(again.do("GET", "/", "", "Host: gone.sls.test"), 404, "ProjectNotExist")
		if got, want := again.look(), r.look(); got != want {
			t.Errorf("the other logstore:\n%s\nwas\n%s", got, want)
		}
	}
}

// TestDirectoriesAreUsedOnce: the files of a logstore that was deleted, if a crash left them behind, are
// not taken for those of a new one.
func TestDirectoriesAreUsedOnce(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir})
	r.want(r.put(lowKey, sample), 200, "")
	left := copyDir(t, dir)
	r.want(r.do("DELETE", "/logstores/ls", ""), 200, "")
	r.disk.mu.Lock()
	if err := r.disk.rewrite(); err != nil {
		t.Error(err)
	}
	r.disk.mu.Unlock()
	_ = r.Close()
	// The process died between the deletion and the removal of the files.
	again := r.reopen(copyJournal(t, dir, left))
	js := "Content-Type: application/json"
	again.want(again.do("POST", "/logstores", `{"logstoreName":"ls","ttl":1,"shardCount":2}`, js), 200, "")
	again.want(again.put(lowKey, logGroup("new", "1")), 200, "")
	last := again.reopen(copyDir(t, again.disk.dir))
	if groups, _ := last.pages(0); len(groups) != 1 {
		t.Errorf("the new logstore has %d log groups", len(groups))
	}
}

// TestDeleteUnderLoad: deletions beside every other request, with the race detector.
func TestDeleteUnderLoad(t *testing.T) {
	r := newRig(t, Config{Dir: t.TempDir()})
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
	again := r.reopen(copyDir(t, r.disk.dir))
	if got, want := fmt.Sprint(again.Logstores("p")), fmt.Sprint(r.Logstores("p")); got != want {
		t.Errorf("after a restart there are %s, not %s", got, want)
	}
}

// copyJournal puts the journal of one directory beside the files of another one.
func copyJournal(t *testing.T, journal, files string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(journal, journalName))
	if err == nil {
		err = os.WriteFile(filepath.Join(files, journalName), data, fileMode)
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}
