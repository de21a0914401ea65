package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestUpdateGroup: a group that exists gets the partitions only if it is told to.
func TestUpdateGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	started := func(n int) func(string) bool {
		return func(s string) bool { return strings.Count(s, `"started"`) == n }
	}
	for _, c := range []struct {
		flags []string
		want  int
	}{{nil, 2}, {[]string{"-partitions", "4"}, 2}, {[]string{"-partitions", "4", "-update-group"}, 4}} {
		out, _ := r.workerUntil(started(c.want), append(c.flags, "-output", "none", "-events")...)
		if n := strings.Count(out, `"started"`); n != c.want {
			t.Errorf("%q: %d shards, want %d", c.flags, n, c.want)
		}
	}
}

// TestExpired: what was deleted before it was read holds the shard, or is passed over if
// that was asked for.
func TestExpired(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put(0, "a")
	r.worker(1)
	for range 3 {
		r.put(0, "b")
	}
	s, err := r.js.Stream(t.Context(), r.stream.Name)
	must(t, err)
	must(t, s.Purge(t.Context(), jetstream.WithPurgeSequence(3)))
	// Heartbeats are lines that make it stay for a while.
	out, errs := r.worker(30, "-events", "-beat", "100ms", "-status-every", "20ms")
	if strings.Contains(out, `"data"`) || !strings.Contains(errs, "halted=1") {
		t.Errorf("it reads on, or says nothing:\n%s%s", out, errs)
	}
	out, errs = r.workerUntil(func(s string) bool { return strings.Contains(s, `"number":4`) }, "-expired", "earliest")
	if got := parseLines[messageLine](t, out); len(got) != 2 || got[0].Number != 3 || !strings.Contains(errs, "gaps=1") {
		t.Errorf("it prints\n%s%s", out, errs)
	}
}

// TestFromEnd: a worker that begins at the end reads what comes from then on, and so does
// the next one.
func TestFromEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put(0, "a")
	r.workerUntil(func(s string) bool { return strings.Contains(s, `"commit"`) }, "-from", "end", "-events", "-output", "none")
	r.put(0, "b")
	out, _ := r.worker(1)
	if got := parseLines[messageLine](t, out); len(got) != 1 || got[0].Number != 2 {
		t.Errorf("it prints %s", out)
	}
}

// TestNoServer: a worker waits for the servers, and can be told to stop waiting.
func TestNoServer(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	errs := newText()
	status := run(ctx, []string{"-servers", "nats://" + freeAddress(t)}, newText(), errs)
	if took := time.Since(begin); status != exitOK || took < 500*time.Millisecond || took > patience {
		t.Errorf("exit status %d after %v\n%s", status, took, errs)
	}
}
