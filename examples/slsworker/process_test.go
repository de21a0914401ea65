//go:build unix

package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDrain: a signal has the batch that is handled finished, printed and committed, and
// nothing else begun.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r := newRig(t, 1)
		r.put("0", "one")
		p := r.process(true, "-handle-time", "600ms", "-output", "batches")
		r.awaitShards("w", 1)
		time.Sleep(200 * time.Millisecond) // into the batch; earlier there is nothing to drain
		p.signal(s)
		status, took := p.end()
		if status != exitOK || took > 2*time.Second {
			t.Errorf("%v: exit status %d after %v\n%s", s, status, took, p.errs)
		}
		lines := parseLines[batchLine](t, p.out.String())
		cp, ok, err := r.checkpoint()
		must(t, err)
		if len(lines) != 1 || !ok || cp != lines[0].Next {
			t.Errorf("%v: the checkpoint is %q, printed was\n%s", s, cp, p.out)
		}
	}
}

// TestDrainTimeout: what takes too long is given up, neither printed nor committed.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put("0", "one")
	p := r.process(true, "-handle-time", "1h", "-drain", "500ms")
	r.awaitShards("w", 1)
	time.Sleep(200 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	status, took := p.end()
	if status != exitOK || took > 1500*time.Millisecond || p.out.String() != "" { // 600 ms, and a busy machine
		t.Errorf("exit status %d after %v\n%s%s", status, took, p.out, p.errs)
	}
	if cp, ok, err := r.checkpoint(); ok || err != nil {
		t.Errorf("a checkpoint: %q, %v", cp, err)
	}
}

func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for s, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		r := newRig(t, 1)
		r.put("0", "one")
		p := r.process(true, "-handle-time", "1h", "-drain", "1h")
		r.awaitShards("w", 1)
		time.Sleep(200 * time.Millisecond)
		p.signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			t.Fatalf("it does not drain:\n%s", p.errs)
		case <-time.After(200 * time.Millisecond):
		}
		p.signal(s)
		if status, took := p.end(); status != want || took > time.Second {
			t.Errorf("%v: exit status %d after %v, want %d", s, status, took, want)
		}
	}
}

// TestBrokenPipe: when nobody reads any more, the worker ends with an error, and what was
// not printed is not committed.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"logs", "batches"} {
		r := newRig(t, 1)
		p := r.process(false, "-output", output)
		must(t, p.pipe.Close())
		r.put("0", "one")
		status, _ := p.end()
		if status != exitFailed || !strings.Contains(p.errs.String(), "standard output: broken pipe") || !strings.Contains(p.errs.String(), "summary: batches=0 ") {
			t.Errorf("%s: exit status %d\n%s", output, status, p.errs)
		}
		if cp, ok, err := r.checkpoint(); ok || err != nil {
			t.Errorf("a checkpoint: %q, %v", cp, err)
		}
	}
}

// TestStalledPipe: a reader that does not read holds up no stop.
func TestStalledPipe(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	long := strings.Repeat("long", 50_000)
	for _, key := range []string{"0", "4", "8", "c"} {
		r.put(key, long)
	}
	p := r.process(false, "-drain", "500ms")
	r.awaitShards("w", 4)
	time.Sleep(300 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	if status, took := p.end(); status != exitFailed || took > 1500*time.Millisecond || !strings.Contains(p.errs.String(), "not drained") {
		t.Errorf("exit status %d after %v\n%s", status, took, p.errs)
	}
}

// TestTwoWorkers: another worker joins, the shards are divided, and each log group is
// handled once.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	keys := []string{"0", "4", "8", "c"}
	flags := []string{"-output", "batches", "-handle-time", "5ms"}
	one := r.process(true, flags...)
	r.awaitShards("w", 4)
	two := r.process(true, append(flags, "-member", "w", "-member-suffix", "2")...)
	const rounds = 300
	for i := range rounds {
		r.put(keys[i%4], fmt.Sprint(i))
		time.Sleep(5 * time.Millisecond)
	}
	r.awaitShards("w", 2)
	r.awaitShards("w-2", 2)
	time.Sleep(500 * time.Millisecond)
	one.signal(syscall.SIGTERM)
	if status, _ := one.end(); status != exitOK || !strings.Contains(one.errs.String(), "handovers=2") {
		t.Errorf("exit status %d\n%s", status, one.errs)
	}
	two.signal(syscall.SIGTERM)
	if status, _ := two.end(); status != exitOK {
		t.Errorf("exit status %d\n%s", status, two.errs)
	}
	seen := map[string]bool{}
	groups := 0
	for _, b := range parseLines[batchLine](t, one.out.String()+two.out.String()) {
		groups += b.Groups
		at := fmt.Sprint(b.Shard, b.Cursor)
		if seen[at] {
			t.Errorf("shard %d at %s was handled twice", b.Shard, b.Cursor)
		}
		seen[at] = true
	}
	if groups != rounds {
		t.Errorf("%d groups of %d", groups, rounds)
	}
}

// TestOneName: a second worker of one name is refused, until the first has ended or died; one
// with another name, or of another group, is not.
func TestOneName(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	first := r.process(true)
	r.awaitShards("w", 2)
	refused := func(when string) {
		t.Helper()
		second := r.process(true)
		status, _ := second.end()
		lines := strings.TrimSpace(second.errs.String())
		if status != exitFailed || strings.Count(lines, "\n") != 0 || !strings.Contains(lines, "-member-suffix") ||
			!strings.Contains(lines, `"w"`) || !strings.Contains(lines, "app/g") {
			t.Errorf("%s: exit status %d, and it says\n%s", when, status, lines)
		}
	}
	refused("beside the first")
	refused("once more")
	r.awaitShards("w", 2)
	other := r.process(true, "-member", "x")
	r.awaitShards("x", 1)
	group := r.process(true, "-group", "h", "-log-level", "info")
	group.errs.await(t, 1, group.ended)
	for _, p := range []*process{other, group} {
		select {
		case <-p.ended:
			t.Errorf("another name ended\n%s", p.errs)
		default:
		}
	}
	must(t, first.cmd.Process.Kill())
	first.end()
	again := r.process(true, "-log-level", "info")
	again.errs.await(t, 1, again.ended)
	again.signal(syscall.SIGTERM)
	if status, _ := again.end(); status != exitOK {
		t.Errorf("after a kill: exit status %d\n%s", status, again.errs)
	}
}
