package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

func TestLines(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	want := numbers(250)
	r.ok(250, strings.Join(want, "\r\n")+"\n\n", "-batch-lines", "100", "-linger", "1m", "-topic", "t", "-source", "10.0.0.1", "-key", "msg")
	if got := r.values(0, "msg"); !slices.Equal(got, want) {
		t.Errorf("stored %q", got)
	}
	groups := r.stored(0)
	if len(groups) != 3 || groups[0].Len() != 100 || string(groups[2].Topic()) != "t" || string(groups[2].Source()) != "10.0.0.1" {
		t.Errorf("%d groups, the last one of %q", len(groups), groups[len(groups)-1].Topic())
	}
	size := 0
	for _, g := range groups {
		size += g.Size()
		for l := range g.Logs() {
			if age := time.Since(l.Time()); age < 0 || age > time.Minute {
				t.Fatalf("a log is %v old", age)
			}
		}
	}
	r.says(fmt.Sprintf("250 lines in 3 groups, %d bytes, 0 retries", size))
	r.ok(0, "\n\n")
}

func TestBatchBytes(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	text := strings.Repeat("x", 900)
	for _, compression := range []string{"lz4", "zstd", "none"} {
		r.ok(100, strings.Repeat(text+"\n", 100), "-batch-bytes", "10K", "-linger", "1m", "-compression", compression)
		r.says(" in 10 groups")
	}
	for _, g := range r.stored(0) {
		if g.Size() > 10<<10 {
			t.Errorf("a group has %d bytes", g.Size())
		}
	}
	long := strings.Repeat("y", 1<<20-200)
	r.ok(2, long+"\n"+long+"\n", "-batch-bytes", "5M")
}

// TestHash: what has the same value goes to the same shard, and stays in order.
func TestHash(t *testing.T) {
	r := newRig(t, 4, slsserver.Config{})
	dir := t.TempDir()
	lines := numbers(100)
	var files []string
	for i, part := range [][]string{lines[:60], lines[60:]} {
		files = append(files, filepath.Join(dir, strconv.Itoa(i)))
		if err := os.WriteFile(files[i], []byte(strings.Join(part, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.ok(300, "", append([]string{"-hash", "line", "-repeat", "3"}, files...)...)
	count, used := map[string]int{}, 0
	for shard := range 4 {
		before := len(count)
		for _, v := range r.values(shard, "content") {
			count[v]++
		}
		if used++; len(count) == before {
			t.Errorf("shard %d got nothing new", shard)
		}
		for v, n := range count {
			if n != 3 {
				t.Errorf("up to shard %d there are %d of %q", shard, n, v)
			}
		}
	}
	if len(count) != 100 {
		t.Errorf("%d lines", len(count))
	}

	r = newRig(t, 4, slsserver.Config{})
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, `{"user":"u%d","n":%d}`+"\n", i%20, i)
	}
	r.ok(400, text.String(), "-json", "-hash", "field", "-key", "user", "-batch-lines", "3")
	shardOf, last := map[string]int{}, map[string]int{}
	for shard := range 4 {
		users, ns := r.values(shard, "user"), r.values(shard, "n")
		for i, user := range users {
			n, _ := strconv.Atoi(ns[i])
			if other, ok := shardOf[user]; ok && (other != shard || n <= last[user]) {
				t.Errorf("%s: %d in shard %d behind %d in shard %d", user, n, shard, last[user], other)
			}
			shardOf[user], last[user] = shard, n
		}
	}
	if len(shardOf) != 20 {
		t.Errorf("%d users", len(shardOf))
	}
}

func TestStamp(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	before := time.Now().UnixNano()
	r.ok(5, strings.Join(numbers(5), "\n"), "-stamp", "-linger", "0")
	stamps := r.values(0, "put_ns")
	if len(stamps) != 5 || !slices.IsSorted(stamps) || len(r.stored(0)) != 5 {
		t.Fatalf("the stamps are %q", stamps)
	}
	for _, s := range stamps {
		if n, err := strconv.ParseInt(s, 10, 64); err != nil || n < before || n > time.Now().UnixNano() {
			t.Errorf("the stamp is %q", s)
		}
	}
}

// TestLinger: what waits is sent although no more comes.
func TestLinger(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	in, out := io.Pipe()
	done := make(chan int)
	go func() { done <- r.put(in, "-linger", "20ms") }()
	for i := range 3 {
		fmt.Fprintf(out, "line %d\n", i)
		for deadline := time.Now().Add(10 * time.Second); len(r.values(0, "content")) != i+1; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("line %d is not stored", i)
			}
		}
	}
	_ = out.Close()
	if status := <-done; status != exitOK {
		t.Errorf("exit status %d: %s", status, &r.stderr)
	}
}

func TestRate(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	began := time.Now()
	r.ok(31, strings.Join(numbers(31), "\n"), "-rate", "100", "-linger", "0")
	if took := time.Since(began); took < 290*time.Millisecond {
		t.Errorf("31 lines at 100 a second took %v", took)
	}
}

// TestRetries: what may succeed later is tried again, and nothing else.
func TestRetries(t *testing.T) {
	fault := func(r *rig, f slsserver.Fault, times int) {
		f.Op, f.Times = "PutLogs", times
		if _, err := r.server.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, 1, slsserver.Config{})
	fault(r, slsserver.Fault{Code: "ServerBusy"}, 2)
	fault(r, slsserver.Fault{Op: "PutLogs", Code: "WriteQuotaExceed"}, 1)
	fault(r, slsserver.Fault{CutBefore: true}, 1)
	began := time.Now()
	r.ok(3, "a\nb\nc\n")
	r.says(" 4 retries")
	if took := time.Since(began); took < time.Second {
		t.Errorf("it was throttled, and waited for %v in all", took)
	}
	if got := r.values(0, "content"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("stored %q", got)
	}

	r = newRig(t, 1, slsserver.Config{})
	fault(r, slsserver.Fault{Status: 400, Code: "PostBodyInvalid", Message: "no"}, 1)
	if status := r.put(strings.NewReader("a\nb\n")); status != exitFailed {
		t.Errorf("exit status %d: %s", status, &r.stderr)
	}
	r.says("PostBodyInvalid")
	r.says("0 lines in 0 groups")
	r.says("2 more lines were read and not stored")

	r = newRig(t, 1, slsserver.Config{})
	fault(r, slsserver.Fault{Code: "InternalServerError"}, 0)
	if status := r.put(strings.NewReader("a\n"), "-retry", "300ms"); status != exitFailed {
		t.Errorf("exit status %d: %s", status, &r.stderr)
	}
	r.says("InternalServerError")
}

// TestPortal: a page of somebody on the way stores nothing, whatever its status is.
func TestPortal(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	statuses := []int{http.StatusOK, http.StatusNoContent, http.StatusFound, http.StatusForbidden, http.StatusNotFound}
	var n atomic.Int64
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if i := int(n.Add(1)) - 1; i < len(statuses) {
			w.Header().Set("Location", "/login")
			w.WriteHeader(statuses[i])
			return
		}
		r.server.ServeHTTP(w, q)
	}))
	defer portal.Close()
	r.url = portal.URL
	r.ok(2, "a\nb\n")
	r.says(" 5 retries")
	if got := r.values(0, "content"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stored %q", got)
	}
}
