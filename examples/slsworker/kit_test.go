package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/slslog"
	"github.com/rollcall-go/rollcall/shardset"
)

// The test binary is the program when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("SLSWORKER_TEST_RUN") != "" {
		main()
		return
	}
	for _, name := range []string{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	dir, err := os.MkdirTemp("", "slsworker")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} { // where the locks are
		if err := os.Setenv(name, dir); err != nil {
			panic(err)
		}
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// patience is how long a test waits for what should come soon.
const patience = 20 * time.Second

// rig is a server with the logstore app of the project demo.
type rig struct {
	*testing.T
	server *slsserver.Server
	url    string
	client *sls.Client
}

func newRig(t *testing.T, shards int, keys ...slsserver.Key) *rig {
	t.Helper()
	srv, err := slsserver.New(slsserver.Config{Keys: keys, Projects: []slsserver.Project{
		{Name: "demo", Logstores: []slsserver.Logstore{{Name: "app", Shards: shards}}},
	}})
	must(t, err)
	l, err := srv.Listen("127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }() // Close ends it
	t.Cleanup(func() { _ = srv.Close(); <-done })
	r := &rig{T: t, server: srv, url: "http://" + l.Addr().String()}
	r.client, err = sls.New(sls.Config{Endpoint: r.url, Project: "demo", Logstore: "app", Group: "g", Credentials: credentials()})
	must(t, err)
	t.Cleanup(func() { _ = r.client.Close() })
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put puts a log group with a log for each text. The shards divide the keys evenly; key
// is its first digit.
func (r *rig) put(key string, texts ...string) {
	r.Helper()
	var g slslog.Builder
	for _, text := range texts {
		must(r.T, g.AddLog(time.Now(), slslog.Content{Key: "text", Value: []byte(text)}))
	}
	r.putGroup(key, &g)
}

func (r *rig) putGroup(key string, g *slslog.Builder) {
	r.Helper()
	must(r.T, r.client.Put(r.Context(), g.Bytes(), sls.PutOptions{HashKey: key + strings.Repeat("0", 32-len(key))}))
}

// args are the program's, in a hurry.
func (r *rig) args(flags ...string) []string {
	return append([]string{
		"-endpoint", r.url, "-project", "demo", "-logstore", "app", "-group", "g", "-member", "w",
		"-interval", "200ms", "-timeout", "1s", "-drain", "2s",
	}, flags...)
}

// text is what a program prints, to be read meanwhile.
type text struct {
	mu    sync.Mutex
	b     bytes.Buffer
	grown chan struct{}
}

func newText() *text { return &text{grown: make(chan struct{}, 1)} }

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	select {
	case x.grown <- struct{}{}:
	default:
	}
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

func (x *text) lines() int { return strings.Count(x.String(), "\n") }

// await waits until it has so many lines, or the program has ended.
func (x *text) await(t *testing.T, lines int, ended <-chan struct{}) {
	t.Helper()
	late := time.After(patience)
	for x.lines() < lines {
		select {
		case <-x.grown:
		case <-ended:
			return
		case <-late:
			t.Errorf("%d lines are not %d:\n%s", x.lines(), lines, x)
			return
		}
	}
}

// worker runs the program in this process until it has printed so many lines, and
// returns all that it has printed. With lines -1 it ends by itself.
func (r *rig) worker(lines int, flags ...string) (stdout, stderr string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 2*patience)
	defer cancel()
	out, errs, ended, status := newText(), newText(), make(chan struct{}), 0
	go func() { // ends with ctx
		defer close(ended)
		status = run(ctx, r.args(flags...), out, errs)
	}()
	if lines >= 0 {
		out.await(r.T, lines, ended)
		cancel()
	}
	<-ended
	if status != exitOK || ctx.Err() != nil && lines < 0 {
		r.Errorf("%q: exit status %d, context: %v\n%s", flags, status, ctx.Err(), errs)
	}
	if strings.Count(errs.String(), "summary: ") != 1 {
		r.Errorf("%q: no summary:\n%s", flags, errs)
	}
	return out.String(), errs.String()
}

// parse reads lines of JSON.
func parseLines[T any](t *testing.T, s string) (all []T) {
	t.Helper()
	for line := range strings.Lines(s) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

// process is the program in a process of its own.
type process struct {
	*testing.T
	cmd    *exec.Cmd
	out    *text // of what was read
	errs   *text
	pipe   io.ReadCloser // its stdout
	ended  chan struct{}
	status int
}

// process starts the program. What it prints is read, unless it is not to be.
func (r *rig) process(read bool, flags ...string) *process {
	r.Helper()
	p := &process{T: r.T, cmd: exec.Command(os.Args[0], r.args(flags...)...), out: newText(), errs: newText(), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "SLSWORKER_TEST_RUN=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = p.errs
	in, out, err := os.Pipe()
	must(r.T, err)
	p.pipe, p.cmd.Stdout = in, out
	must(r.T, p.cmd.Start())
	must(r.T, out.Close())
	copied := make(chan struct{})
	go func() { // ends with the process, which has the pipe's other end
		defer close(copied)
		if read {
			_, _ = io.Copy(p.out, in)
		}
	}()
	go func() { // ends with the process; the cleanup waits for it
		defer close(p.ended)
		<-copied
		_ = p.cmd.Wait()
		p.status = p.cmd.ProcessState.ExitCode()
	}()
	r.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = in.Close()
	})
	return p
}

// end waits for its end and returns its status, and how long that took.
func (p *process) end() (status int, took time.Duration) {
	p.Helper()
	begin := time.Now()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.Fatalf("it does not end:\n%s", p.errs)
	}
	return p.status, time.Since(begin)
}

func (p *process) signal(s syscall.Signal) {
	p.Helper()
	must(p.T, p.cmd.Process.Signal(s))
}

// awaitShards waits until the group has a member with so many shards.
func (r *rig) awaitShards(member string, shards int) {
	r.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		state, err := r.server.Group("demo", "app", "g")
		n := 0
		for _, s := range state.Shards {
			if err == nil && s.Owner == member {
				n++
			}
		}
		if n == shards {
			return
		}
	}
	r.Fatalf("%s does not get %d shards", member, shards)
}

// checkpoint returns the checkpoint of shard 0; false if it has none.
func (r *rig) checkpoint() (cursor string, ok bool, err error) {
	p, ok, err := r.client.Load(r.Context(), processor.Owner{Lease: shardset.Lease{ID: shardset.ID{Log: "app"}}})
	return string(p), ok, err
}
