package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// quick returns options for a run that takes no longer than it must.
func quick() options {
	o := defaults()
	o.duration, o.ttl, o.interval, o.commitEvery = 0, 600*time.Millisecond, 150*time.Millisecond, 50*time.Millisecond
	return o
}

// write makes files of the contents and returns their paths.
func write(t *testing.T, contents ...string) (paths []string) {
	t.Helper()
	for i, c := range contents {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("file%d.log", i))
		if err := os.WriteFile(path, []byte(c), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// start runs main's logic with the options and returns what it printed.
func start(t *testing.T, ctx context.Context, o options) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = o.run(ctx, &out, &errs)
	t.Logf("stdout:\n%s\nstderr:\n%s", &out, &errs)
	return status, out.String(), errs.String()
}

func TestMembershipChangesLoseNothing(t *testing.T) {
	t.Parallel()
	o := quick()
	// A lease that a busy machine does not cost a living worker, which would repeat lines.
	o.duration, o.ttl = 2*time.Second, 3*time.Second
	sources, err := openSources(nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWork(t.Context(), o, sources, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	w.do(&plain{out: t.Output(), next: time.Second})
	checks, err := w.verify()
	if err != nil {
		t.Fatal(err)
	}
	w.report(t.Output(), checks)
	if !complete(checks) || checks[0].lines != sampleLines || checks[0].processed != sampleLines {
		t.Fatalf("not every line was processed: %+v", checks[0])
	}
	all := w.journal.handovers()
	if len(pauses(all, lapsed)) > 0 {
		t.Error("a living worker lost its lease")
	}
	if w.death == nil || w.death.shards == 0 || len(pauses(all, planned)) < 4 {
		t.Fatalf("the work was over before a worker with shards was killed: %+v, %d hand-overs", w.death, len(all))
	}
	again := map[handoverKind]int{}
	for _, h := range all {
		again[h.kind] += w.sink.again(h.id, h.before)
		if h.kind == crash && h.from != w.death.member {
			t.Errorf("%s is said to have died: %+v", h.from, h)
		}
	}
	if again[planned] != 0 {
		t.Errorf("planned hand-overs repeated %d lines", again[planned])
	}
	if again[crash] != w.death.open {
		t.Errorf("the crash repeated %d lines, and %d were not committed", again[crash], w.death.open)
	}
	if n := len(pauses(all, crash)); n != w.death.shards {
		t.Errorf("%d shards were taken over from the dead worker, which had %d", n, w.death.shards)
	}
	if !w.death.over || w.death.late != 0 {
		t.Errorf("the killed worker woke up and processed %d lines; its lease was over: %v", w.death.late, w.death.over)
	}
}

func TestOddFiles(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", 1<<20)
	o := quick()
	o.files = write(t, "", "no ending", "a\r\nb\r\nERROR c", huge+"\n"+huge, "\x00\xff\n\x80\r", "\n\n", strings.Repeat("WARN x\n", 3000))
	o.files = append(o.files, o.files[1]) // the same file twice
	status, stdout, stderr := start(t, t.Context(), o)
	if status != exitOK || stderr != "" {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	for _, want := range []string{"8 files: ", "OK: all 3,011 lines processed", "  WARN       3,000", "  ERROR          1"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
}

func TestNoLinesAtAll(t *testing.T) {
	t.Parallel()
	o := quick()
	o.files = write(t, "")
	if status, stdout, _ := start(t, t.Context(), o); status != exitOK || !strings.Contains(stdout, "OK: all 0 lines") {
		t.Errorf("status %d", status)
	}
}

func TestLostLineFails(t *testing.T) {
	t.Parallel()
	o := quick()
	o.files = write(t, strings.Repeat("some line\n", 500))
	o.lose = func(s *span, line int) bool { return s.id.Number == 0 && line == 7 }
	status, stdout, stderr := start(t, t.Context(), o)
	if status != exitFailed || !strings.Contains(stderr, "lines were lost") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	if !strings.Contains(stdout, "lost lines, the first of them: 8\n") || !strings.Contains(stdout, "FAILED") {
		t.Error("the report does not name line 8")
	}
}

func TestChangedLineFails(t *testing.T) {
	t.Parallel()
	o := quick()
	o.files = write(t, strings.Repeat("some line\n", 500))
	var once sync.Once
	o.lose = func(*span, int) bool { // after the first line was read
		once.Do(func() {
			if err := os.WriteFile(o.files[0], []byte(strings.Repeat("sOme line\n", 500)), 0o600); err != nil {
				t.Error(err)
			}
		})
		return false
	}
	if status, stdout, _ := start(t, t.Context(), o); status != exitFailed || !strings.Contains(stdout, "WRONG") {
		t.Errorf("status %d", status)
	}
}

func TestFileThatBecomesShorterFails(t *testing.T) {
	t.Parallel()
	o := quick()
	o.files = write(t, strings.Repeat("some line\n", 500_000)) // more than is read ahead
	var once sync.Once
	o.lose = func(*span, int) bool {
		once.Do(func() {
			if err := os.Truncate(o.files[0], 100); err != nil {
				t.Error(err)
			}
		})
		return false
	}
	status, _, stderr := start(t, t.Context(), o)
	if status != exitFailed || !strings.Contains(stderr, "became shorter") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

func TestSinkThatRefusesALineIsSeen(t *testing.T) {
	t.Parallel()
	o := quick()
	o.files = write(t, strings.Repeat("some line\n", 500))
	sources, err := openSources(o.files)
	if err != nil {
		t.Fatal(err)
	}
	defer closeSources(sources)
	ctx, cancel := context.WithCancelCause(t.Context())
	w, err := newWork(ctx, o, sources, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	first := w.order[0]
	w.lose = func(s *span, number int) bool {
		if s == first && number == 7 { // as if somebody else had the shard by now
			if err := w.sink.put(shardset.Lease{ID: s.id, Epoch: math.MaxUint64}, line{number: 0}, "text"); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	w.do(displayFunc(func(v view) {
		for _, n := range v.notes {
			if strings.Contains(n.text, errStaleEpoch.Error()) {
				cancel(signalError{syscall.SIGINT}) // without it, the line would be tried for ever
			}
		}
	}))
	if at, err := w.committed(first); at.line != 7 || err != nil {
		t.Errorf("%d lines are committed, %v; want those before the one that was refused, 7", at.line, err)
	}
	checks, err := w.verify()
	if err != nil || !sound(checks) || complete(checks) {
		t.Errorf("%+v, %v", checks[0], err)
	}
}

func TestSignalEndsGracefully(t *testing.T) {
	t.Parallel()
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		ctx, cancel := context.WithCancelCause(t.Context())
		o := quick()
		o.duration = time.Hour // only the first line of each shard is due
		o.files = write(t, strings.Repeat("some line\n", 500))
		o.lose = func(*span, int) bool {
			cancel(signalError{sig})
			return false
		}
		status, stdout, stderr := start(t, ctx, o)
		if status != want || stderr != "" || !strings.Contains(stdout, "Ended early") {
			t.Errorf("%v: status %d, stderr %q", sig, status, stderr)
		}
	}
}

// displayFunc is a display that watches for something.
type displayFunc func(v view)

func (f displayFunc) show(v view) { f(v) }

func TestSignalDoesNotWaitForADeadWorkersLease(t *testing.T) {
	t.Parallel()
	o := quick()
	o.duration, o.ttl = 2*time.Second, time.Hour // a busy machine, too, kills before all is done
	o.files = write(t, strings.Repeat("some line\n", 5000))
	sources, err := openSources(o.files)
	if err != nil {
		t.Fatal(err)
	}
	defer closeSources(sources)
	ctx, cancel := context.WithCancelCause(t.Context())
	w, err := newWork(ctx, o, sources, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	w.do(displayFunc(func(v view) {
		if slices.ContainsFunc(v.workers, func(k workerView) bool { return strings.Contains(k.state, "killed") }) {
			cancel(signalError{syscall.SIGINT}) // without it, the work would take an hour
		}
	}))
	checks, err := w.verify()
	if err != nil || !sound(checks) || complete(checks) {
		t.Errorf("%+v, %v", checks[0], err)
	}
}

func TestBadCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := write(t, "x\n")[0]
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"-nonsense"}, []string{"-nonsense"}},
		{[]string{"-duration", "soon"}, []string{"-duration"}},
		{[]string{"-duration", "-1s", "-shards", "0", "-workers", "1", "-log-level", "loud"}, []string{"-duration", "-shards", "-workers", "-log-level"}},
		{[]string{"-shards", "1025", "-workers", "33", "-log-level", ""}, []string{"-shards", "-workers", "-log-level"}},
		{[]string{dir, dir + "/none", file, file + "/x"}, []string{"directory", dir + "/none", "no such file", file + "/x"}},
		{[]string{file, "-shards", "3"}, []string{"-shards", "flags go before the files"}},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), tt.args, &stdout, &stderr); status != exitUsage {
			t.Errorf("%q: status %d", tt.args, status)
		}
		got := stderr.String()
		if stdout.Len() > 0 || strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "quickstart: ") {
			t.Errorf("%q: stdout %q, stderr %q, want one line on stderr", tt.args, &stdout, got)
		}
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%q: stderr %q lacks %q", tt.args, got, want)
			}
		}
	}
}

func TestFileWithoutPermission(t *testing.T) {
	t.Parallel()
	path := write(t, "x\n")[0]
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(path); err == nil {
		_ = f.Close()
		t.Skip("this user may read everything")
	}
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{path}, &stdout, &stderr); status != exitUsage || !strings.Contains(stderr.String(), "permission") {
		t.Errorf("status %d, stderr %q", status, &stderr)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, &stdout, &stderr); status != exitOK || stderr.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, &stderr)
	}
	for _, want := range []string{"-duration", "-shards", "-workers", "-log-level", "12s"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the help lacks %q", want)
		}
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	o := quick()
	o.logLevel, o.files = "info", write(t, "x\n")
	if status, _, stderr := start(t, t.Context(), o); status != exitOK || !strings.Contains(stderr, "shard started") {
		t.Errorf("status %d", status)
	}
}

// Not parallel: it counts goroutines.
func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	o := quick()
	o.duration = 400 * time.Millisecond
	o.files = write(t, strings.Repeat("some line\n", 2000))
	start(t, t.Context(), o)
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond) // one that has done all may still be on its way out
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, there were %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}
