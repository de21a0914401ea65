//go:build linux

package postgres

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
	"github.com/rollcall-go/rollcall/shardset"
)

// slowFlush is the extra time of a flush on a slow disk.
const slowFlush = 20 * time.Millisecond

// needTracer skips the test if a disk cannot be slowed down.
func needTracer(t *testing.T) {
	if out, err := exec.Command("strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync", "true").CombinedOutput(); err != nil {
		t.Skipf("needs strace, and to be allowed what it does: %v %s", err, out)
	}
}

// A slow disk costs no member its lease: a hundred members in ten processes, each with a
// heartbeat and a commit a second, share the flushes of the server.
func TestSlowDiskCostsNoLease(t *testing.T) {
	t.Parallel()
	needTracer(t)
	srv := newServer(t)
	const members, processes, ttl = 100, 10, 6 * time.Second
	shards := shardset.Range("orders", members)
	clients := make([]*replicated.Client, processes)
	for i := range clients {
		c, err := New(Config{
			Pool: srv.pool("rollcall", 4), Group: "orders", TTL: ttl, Shards: shardset.Range("orders", members),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients[i] = c
	}
	joined := 0
	replicatedtest.RunCrowd(t, replicatedtest.CrowdConfig{
		Shards: shards, TTL: ttl, Interval: time.Second, Record: 50 * time.Millisecond, CommitEvery: 20,
		Dial: func(string) (replicatedtest.Connection, error) {
			joined++
			return replicatedtest.Connection{Group: clients[joined%processes]}, nil
		},
	}, func(crowd *replicatedtest.Crowd) {
		for i := range members {
			crowd.Join(fmt.Sprint("member-", i))
		}
		settle := func() {
			if err := crowd.Settle(patience + 2*ttl); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		srv.slowDown(slowFlush)
		settle()

		s := dial(t, Config{Pool: srv.pool("rollcall", 1), Group: "another"})
		start := time.Now()
		swap(t, s, document, 0, "x")
		if took := time.Since(start); took < slowFlush {
			t.Fatalf("a write takes %v: the disk is not slow", took)
		}

		before := crowd.Report()
		time.Sleep(2 * ttl)
		after := crowd.Report()
		for _, f := range after.Faults {
			t.Error(f)
		}
		if n := after.Starts - before.Starts; n > 0 || len(after.Unowned) > 0 {
			t.Errorf("%d shards changed hands, and nobody has %v", n, after.Unowned)
		}
		if after.Commits == before.Commits {
			t.Error("nothing was committed")
		}
		t.Log(after)
	})
}
