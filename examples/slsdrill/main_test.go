package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// The drills of planned moves and of crashes, with real processes: nothing is lost,
// nothing is handled twice that was committed. Their times are not judged here: a
// machine that is busy with tests says nothing about them.
func TestDrills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes; run it without -short")
	}
	worker, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"join", "stop", "kill", "freeze", "rolling"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "freeze" && errFreeze != nil {
				t.Skip(errFreeze)
			}
			o := options{
				worker: worker, shards: 8, rate: 10, interval: 2 * time.Second, timeout: 6 * time.Second,
				settle: 3 * time.Second,
			}
			var said, out bytes.Buffer
			r := &report{}
			err := o.drill(t.Context(), name, r, &said)
			r.print(&out)
			if err != nil || !r.sound(false) {
				t.Errorf("%v\n%s\n%s", err, out.String(), said.String())
			}
		})
	}
}

func TestUnknownDrillsAreRefused(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"joni"}, &stdout, &stderr); status != exitUsage {
		t.Errorf("the exit status is %d, want %d", status, exitUsage)
	}
	if !strings.Contains(stderr.String(), `"joni"`) || !strings.Contains(stderr.String(), "rolling") {
		t.Errorf("it says %q", stderr.String())
	}
}

func TestLedgerCounts(t *testing.T) {
	g := newLedger()
	a, b := &worker{name: "a"}, &worker{name: "b"}
	at := time.Unix(1_790_000_000, 0)
	g.add(0, handled{a, at, 100, 104})
	g.add(0, handled{b, at.Add(3 * time.Second), 102, 106})
	g.add(0, handled{b, at.Add(4 * time.Second), 107, 110})
	twice, lost := g.count(0, 100, 112)
	if twice != 2 || lost != 3 {
		t.Errorf("%d twice and %d lost, want 2 and 3", twice, lost)
	}
	moves := g.moves(1, at)
	if len(moves) != 1 || moves[0].pause() != 3*time.Second || moves[0].from != a || moves[0].to != b {
		t.Errorf("the moves are %+v", moves)
	}
}

func TestQuantile(t *testing.T) {
	if q := quantile(nil, 0.5); q != 0 {
		t.Errorf("of nothing it is %v", q)
	}
	all := []time.Duration{5, 1, 4, 2, 3}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if q := quantile(all, share); q != want {
			t.Errorf("the quantile %v is %v, want %v", share, q, want)
		}
	}
}
