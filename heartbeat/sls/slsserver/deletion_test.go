package slsserver

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

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
