//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTwoWorkers: another worker joins, the shards are divided, one is told to stop, and
// each record is handled once.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	const partitions, rounds = 4, 150
	r := newRig(t, partitions)
	flags := []string{"-output", "batches", "-handle", "2ms"}
	one := startProcess(t, r.args(flags...))
	for range rounds / 3 {
		r.round(partitions)
	}
	one.out.await(t, one.ended, lineCount(1))
	two := startProcess(t, r.args(append(flags, "-member-suffix", "2")...))
	for i := 0; i < rounds/3 || !strings.Contains(two.out.String(), "\n"); i++ {
		r.round(partitions)
		time.Sleep(5 * time.Millisecond) // a pace
	}
	one.signal(syscall.SIGTERM)
	for range rounds / 3 {
		r.round(partitions)
	}
	if status := one.end(); status != exitOK || !strings.Contains(one.errs.String(), "handovers=2") {
		t.Errorf("exit status %d\n%s", status, one.errs)
	}
	all := func() []batchLine { return parseLines[batchLine](t, one.out.String()+whole(two.out.String())) }
	two.out.await(t, two.ended, func(string) bool { return r.handled(all()) })
	two.signal(syscall.SIGTERM)
	if status := two.end(); status != exitOK {
		t.Errorf("exit status %d\n%s", status, two.errs)
	}
	seen := map[string]bool{}
	for _, b := range all() {
		if b.Breaks > 0 {
			t.Errorf("a hole in %+v", b)
		}
		for n := b.First; n <= b.Last; n++ {
			at := fmt.Sprint(b.Shard, "/", n)
			if seen[at] {
				t.Errorf("record %s was handled twice", at)
			}
			seen[at] = true
		}
	}
}

// round puts a record into each partition.
func (r *rig) round(partitions int) {
	r.Helper()
	for p := range partitions {
		r.put(p, "x")
	}
}

// handled reports whether the last record of each partition was.
func (r *rig) handled(batches []batchLine) bool {
	last := map[int]int64{}
	for _, b := range batches {
		last[b.Shard] = max(last[b.Shard], b.Last)
	}
	for p, n := range r.puts {
		if last[p] < n {
			return false
		}
	}
	return true
}

// whole leaves out a line that is not complete yet.
func whole(s string) string { return s[:strings.LastIndexByte(s, '\n')+1] }

// TestEmbedded: one worker is the server, too; another one uses it, and cannot be the
// server of the same directory.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	common := []string{"-listen", address, "-partitions", "2", "-ttl", "3s", "-output", "none", "-events", "-log-level", "error"}
	one := startProcess(t, append(common, "-embedded", dir, "-member", "w1"))
	one.out.await(t, one.ended, func(s string) bool { return strings.Count(s, `"started"`) == 2 })
	if !strings.Contains(one.errs.String(), "other workers say -servers nats://"+address) {
		t.Errorf("it does not say where the server is:\n%s", one.errs)
	}
	again := startProcess(t, append(common, "-embedded", dir, "-member", "w3"))
	if status := again.end(); status != exitFailed || !strings.Contains(again.errs.String(), "say -servers nats://"+address) {
		t.Errorf("exit status %d\n%s", status, again.errs)
	}
	two := startProcess(t, append(common, "-servers", "nats://"+address, "-member", "w2"))
	two.out.await(t, two.ended, func(s string) bool { return strings.Contains(s, `"started"`) })
	for _, p := range []*process{two, one} {
		p.signal(syscall.SIGTERM)
		if status := p.end(); status != exitOK || !strings.Contains(p.errs.String(), "leases_lost=0") {
			t.Errorf("exit status %d\n%s", status, p.errs)
		}
	}
}

// TestDrain: a signal has the batch that is handled finished, printed and committed.
func TestDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put(0, "x")
	p := startProcess(t, r.args("-handle", "700ms", "-output", "batches", "-events"))
	p.out.await(t, p.ended, func(s string) bool { return strings.Contains(s, `"started"`) })
	time.Sleep(200 * time.Millisecond) // into the batch; earlier there is nothing to drain
	p.signal(syscall.SIGTERM)
	status, out := p.end(), p.out.String()
	if status != exitOK || !strings.Contains(out, `"first":1,"last":1`) || !strings.Contains(out, `"position":"2"`) {
		t.Errorf("exit status %d\n%s%s", status, out, p.errs)
	}
}

func TestSecondSignal(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put(0, "x")
	p := startProcess(t, r.args("-handle", "1h", "-drain", "1h", "-events"))
	p.out.await(t, p.ended, func(s string) bool { return strings.Contains(s, `"started"`) })
	time.Sleep(200 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		t.Fatalf("it does not drain:\n%s", p.errs)
	case <-time.After(200 * time.Millisecond):
	}
	p.signal(syscall.SIGTERM)
	if status := p.end(); status != 143 {
		t.Errorf("exit status %d", status)
	}
}

// TestBrokenPipe: when nobody reads any more the worker ends with an error, and what was
// not printed is not committed.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put(0, "x")
	out, err := os.Open(os.DevNull) // not for writing
	must(t, err)
	errs := newText()
	status := run(t.Context(), r.args(), out, errs)
	if status != exitFailed || !strings.Contains(errs.String(), "standard output") || !strings.Contains(errs.String(), "batches=0 ") {
		t.Errorf("exit status %d\n%s", status, errs)
	}
	again, _ := r.worker(1)
	if got := parseLines[messageLine](t, again); len(got) != 1 || got[0].Number != 1 {
		t.Errorf("the next worker prints %s", again)
	}
}
