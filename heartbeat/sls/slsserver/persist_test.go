package slsserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// copyDir copies what a killed process would leave: the files as they are now.
func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// look is everything about the logstore that has to survive.
func (r *rig) look() string {
	r.t.Helper()
	out := r.do("GET", "/logstores/ls/shards", "").body + r.do("GET", "/logstores/ls/consumergroups", "").body
	for _, a := range []answer{r.do("GET", groupPath, "")} {
		out += a.body
	}
	for _, s := range r.shardList() {
		groups, _ := r.pages(s.ID)
		out += fmt.Sprintf("\n%d: %s %s %x", s.ID, r.cursor(s.ID, "begin"), r.cursor(s.ID, "end"), groups)
	}
	return out
}

func (r *rig) reopen(dir string) *rig {
	r.t.Helper()
	return newRig(r.t, Config{Dir: dir, Projects: []Project{}})
}

func TestSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir})
	r.createGroup(60, true)
	rng := rand.New(rand.NewPCG(5, 6))
	for step := range 120 {
		shards := r.shardList()
		s := shards[rng.IntN(len(shards))]
		switch k := rng.IntN(20); {
		case k < 12:
			r.want(r.put(fmt.Sprintf("%02x000000000000000000000000000000", rng.IntN(256)), logGroup("i", strconv.Itoa(step))), 200, "")
		case k < 16:
			r.want(r.commit("", s.ID, r.cursor(s.ID, []string{"begin", "end"}[rng.IntN(2)]), true), 200, "")
		case k < 17:
			r.do("POST", fmt.Sprintf("/logstores/ls/shards/%d?action=split", s.ID), "")
		case k < 18:
			r.do("POST", fmt.Sprintf("/logstores/ls/shards/%d?action=merge", s.ID), "")
		case k < 19:
			r.want(r.do("PUT", groupPath, fmt.Sprintf(`{"order":%v,"timeout":%d}`, rng.IntN(2) == 0, rng.IntN(50)+1)), 200, "")
		default:
			r.want(r.do("DELETE", groupPath, ""), 200, "")
			r.createGroup(30, true)
		}
		if step%10 != 0 {
			continue
		}
		again := r.reopen(copyDir(t, dir))
		if got, want := again.look(), r.look(); got != want {
			t.Fatalf("step %d: after the kill\n%s\nbefore\n%s", step, got, want)
		}
		was, _ := r.Group("p", "ls", "g")
		is, _ := again.Group("p", "ls", "g")
		if !slices.Equal(was.Over, is.Over) {
			t.Fatalf("step %d: over are %v, were %v", step, is.Over, was.Over)
		}
	}
}

// TestRecovery: for one timeout nothing is granted, and who holds shards keeps them.
func TestRecovery(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Dir: dir})
		r.createGroup(10, false)
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		_ = r.Close()

		r = r.reopen(dir)
		at := r.cursor(0, "begin")
		r.want(r.beat("c2", "[]"), 200, "[]")
		r.wantCode(r.commit("c1", 0, at, false), 503, "ServerBusy") // perhaps its holder: it shall ask again
		r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
		r.want(r.commit("c1", 0, at, false), 200, "")
		r.wantCode(r.commit("c2", 0, at, false), 400, "ConsumerNotMatch")
		time.Sleep(9 * time.Second)
		r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
		r.want(r.beat("c2", "[]"), 200, "[]")
		time.Sleep(time.Second)
		r.want(r.beat("c1", "[0,1]"), 200, "[0]")
		r.wantCode(r.commit("c3", 0, at, false), 404, "ConsumerNotExist")
		_ = r.Close()

		r = r.reopen(dir)
		r.want(r.beat("c2", "[]"), 200, "[]")
		r.want(r.do("PUT", groupPath, `{"timeout":20}`), 200, "") // it waits no less for that
		time.Sleep(9 * time.Second)
		r.want(r.beat("c2", "[]"), 200, "[]")
		time.Sleep(time.Second)
		r.want(r.beat("c2", "[]"), 200, "[0,1]")
		_ = r.Close()
	})
}

func TestOneServerADirectory(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir})
	if s, err := New(Config{Dir: dir}); err == nil {
		_ = s.Close()
		t.Error("a second server opens the directory")
	}
	_ = r.Close()
	s, err := New(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

func TestJournalIsWrittenAnew(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir})
	r.createGroup(60, false)
	r.disk.compact = 20_000
	for range 500 {
		r.want(r.commit("", 0, r.cursor(0, "end"), true), 200, "")
		r.want(r.put(lowKey, sample), 200, "")
		if r.disk.compact > 20_000 {
			break
		}
	}
	if r.disk.compact != compactAbove || r.disk.journal.size > 20_000 {
		t.Fatalf("the journal has %d bytes, and is written anew at %d", r.disk.journal.size, r.disk.compact)
	}
	r.want(r.commit("", 1, r.cursor(1, "end"), true), 200, "")
	again := r.reopen(copyDir(t, dir))
	if got, want := again.look(), r.look(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExpiryIsRemembered(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir})
	for range 5 {
		r.want(r.put(lowKey, sample), 200, "")
	}
	if err := r.Faults().Expire("p", "ls", 0, 3); err != nil {
		t.Fatal(err)
	}
	begin := r.cursor(0, "begin")
	again := r.reopen(copyDir(t, dir))
	if got := again.cursor(0, "begin"); got != begin {
		t.Errorf("it begins at %s, not %s", got, begin)
	}
	r.do("POST", "/logstores/ls/shards/0?action=split", "")
	if err := r.Faults().Expire("p", "ls", 0, -1); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg")); len(left) > 0 {
		t.Errorf("the files of a shard that is gone: %v", left)
	}
}

// TestWriteFails: what could not be written is not acknowledged and not there.
func TestWriteFails(t *testing.T) {
	r := newRig(t, Config{Dir: t.TempDir(), Sync: true})
	r.createGroup(60, false)
	r.want(r.put(lowKey, sample), 200, "")
	at := r.cursor(0, "end")
	ls, _ := r.findLogstore("p", "ls")
	ls.shard(0).file.active.f.Close()
	r.wantCode(r.put(lowKey, sample), 500, "InternalServerError")
	if got := r.cursor(0, "end"); got != at {
		t.Errorf("the end is %s", got)
	}
	r.disk.journal.f.Close()
	r.wantCode(r.commit("", 0, at, true), 500, "InternalServerError")
	r.wantCode(r.do("POST", "/logstores/ls/shards/1?action=split", ""), 500, "InternalServerError")
	r.wantCode(r.do("DELETE", groupPath, ""), 500, "InternalServerError")
	r.wantCode(r.do("PUT", groupPath, `{"timeout":5}`), 500, "InternalServerError")
	if cp, list := r.checkpoint(0).Checkpoint, r.shardList(); cp != "" || len(list) != 2 || list[1].Status != "readwrite" {
		t.Errorf("checkpoint %q, shards %+v", cp, list)
	}
	if err := r.CreateProject("x"); err == nil || errors.Is(err, ErrExists) {
		t.Errorf("a project: %v", err)
	}
}
