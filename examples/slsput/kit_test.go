package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// The test binary is the program when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("SLSPUT_TEST_RUN") != "" {
		main()
		return
	}
	for _, name := range []string{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// rig is a server with the logstore app of the project demo, and what the program said.
type rig struct {
	*testing.T
	server *slsserver.Server
	url    string
	client *sls.Client
	stdout bytes.Buffer
	stderr bytes.Buffer
}

func newRig(t *testing.T, shards int, cfg slsserver.Config) *rig {
	t.Helper()
	cfg.Projects = []slsserver.Project{{Name: "demo", Logstores: []slsserver.Logstore{{Name: "app", Shards: shards}}}}
	srv, err := slsserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }() // Close ends it
	t.Cleanup(func() { _ = srv.Close(); <-done })
	r := &rig{T: t, server: srv, url: "http://" + l.Addr().String()}
	r.client, err = sls.New(sls.Config{Endpoint: r.url, Project: "demo", Logstore: "app", Credentials: credentials()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.client.Close() })
	return r
}

func (r *rig) args(flags ...string) []string {
	return append([]string{"-endpoint", r.url, "-project", "demo", "-logstore", "app"}, flags...)
}

// put runs the program in this process.
func (r *rig) put(stdin io.Reader, flags ...string) int {
	r.stdout.Reset()
	r.stderr.Reset()
	return run(r.Context(), r.args(flags...), stdin, &r.stdout, &r.stderr)
}

// ok runs the program and expects that all is well, and so many lines.
func (r *rig) ok(lines int, stdin string, flags ...string) {
	r.Helper()
	if status := r.put(strings.NewReader(stdin), flags...); status != exitOK {
		r.Fatalf("%q: exit status %d: %s", flags, status, &r.stderr)
	}
	r.says(fmt.Sprintf("slsput: %d lines in ", lines))
}

func (r *rig) says(want string) {
	r.Helper()
	if !strings.Contains(r.stderr.String(), want) {
		r.Errorf("it says %q, and not %q", &r.stderr, want)
	}
}

// stored returns the groups of a shard.
func (r *rig) stored(shard int) (groups []slslog.Group) {
	r.Helper()
	cursor, err := r.client.Cursor(r.Context(), shard, sls.Begin)
	for err == nil {
		var p sls.Page
		if p, err = r.client.Pull(r.Context(), sls.PullRequest{Shard: shard, Cursor: cursor}); err != nil {
			break
		}
		if p.Next == cursor {
			return groups
		}
		raw := make([]byte, p.RawSize)
		if _, err = lz4.UncompressBlock(p.Body, raw); err != nil {
			break
		}
		var some []slslog.Group
		some, err = slslog.Parse(raw)
		groups, cursor = append(groups, some...), p.Next
	}
	r.Fatal(err)
	return nil
}

// values returns the values of a key in all logs of a shard.
func (r *rig) values(shard int, key string) (values []string) {
	r.Helper()
	for _, g := range r.stored(shard) {
		for l := range g.Logs() {
			if v, ok := l.Value(key); ok {
				values = append(values, string(v))
			}
		}
	}
	return values
}

func numbers(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	return lines
}
