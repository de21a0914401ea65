package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMessages: each message is a line, whatever is in it.
func TestMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put(0, "a \"line\"\n")
	r.putData(0, []byte("no record"))
	r.putData(0, []byte{'x', 0xff})
	out, errs := r.worker(3)
	lines := parseLines[messageLine](t, out)
	var got []string
	for i, l := range lines {
		got = append(got, l.Data)
		if l.Partition != 0 || l.Sequence != uint64(i+1) || time.Since(l.Time) > patience || l.Time.Location() != time.UTC {
			t.Errorf("a line: %+v", l)
		}
	}
	if want := []string{"a \"line\"\n", "no record", "x\uFFFD"}; !slices.Equal(got, want) || lines[0].Number != 1 || lines[1].Number != 0 {
		t.Errorf("the lines are %+v", lines)
	}
	if !strings.Contains(errs, " messages=3 ") {
		t.Errorf("the summary is %s", errs)
	}
}

// TestBatches: a batch is a line, with the numbers of its records.
func TestBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	for range 3 {
		r.put(0, "x")
	}
	r.puts[0]++ // a number is missing
	r.put(0, "x")
	out, _ := r.worker(1, "-output", "batches")
	lines := parseLines[batchLine](t, out)
	if len(lines) != 1 {
		t.Fatalf("the lines are\n%s", out)
	}
	l := lines[0]
	if l.Member != "w" || l.Shard != 0 || l.Epoch == 0 || l.From != "1" || l.Next != "5" || l.Messages != 4 ||
		l.First != 1 || l.Last != 5 || l.Breaks != 1 || l.Wait <= 0 || time.Since(l.At) > patience {
		t.Errorf("the line is %s", out)
	}
	r.putData(0, []byte("no record"))
	out, _ = r.worker(1, "-output", "batches")
	if l := parseLines[batchLine](t, out)[0]; l.Numbers != nil || l.From != "5" {
		t.Errorf("without records the line is %s", out)
	}
}

// TestEvents: a worker tells its heartbeats, its shards and its commits, in order.
func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.put(0, "x")
	out, _ := r.worker(8, "-output", "none", "-events", "-beat", "100ms")
	var shard0 []string
	beats := 0
	for _, e := range parseLines[eventLine](t, out) {
		switch {
		case e.Member != "w" || e.At.IsZero() || e.Error != "":
			t.Errorf("an event: %+v", e)
		case e.Event == "heartbeat":
			beats++
		case e.Shard == 0:
			shard0 = append(shard0, e.Event+" "+string(e.Position))
		}
	}
	if want := []string{"started ", "commit 2", "stopped "}; !slices.Equal(shard0, want) || beats == 0 {
		t.Errorf("%d heartbeats, and of shard 0 %q", beats, shard0)
	}
}

func TestStatusLines(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.put(0, "x")
	// Heartbeats are lines that make the worker stay for a while.
	_, errs := r.worker(30, "-output", "none", "-events", "-beat", "100ms", "-status-every", "50ms")
	if !strings.Contains(errs, "state=running shards=2 draining=0 halted=0 complete=0 stuck=0") || !strings.Contains(errs, "batches=1 messages=1") {
		t.Errorf("the status is\n%s", errs)
	}
}
