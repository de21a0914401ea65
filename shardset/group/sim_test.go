package group_test

import (
	"flag"
	"strings"
	"sync"
	"testing"
)

var (
	simSeed  = flag.Uint64("seed", 1, "first seed of the simulation")
	simSeeds = flag.Int("seeds", 300, "number of seeds to simulate")
)

// TestSim runs members against one group with everything that can go wrong on the
// way: lost, late, doubled and reordered messages, frozen and crashed processes,
// deaf processors, clocks that run at different rates, a service that forgets.
func TestSim(t *testing.T) {
	total := simulateSeeds(t, "TestSim", *simSeeds, scenario{faults: true})
	n := *simSeeds
	if n < 100 {
		return // too few to ask for everything
	}
	t.Logf("%d seeds: %+v", n, total)
	// A simulation in which nothing happens proves nothing.
	for _, min := range []struct {
		what      string
		got, want int
	}{
		{"steps", total.steps, 2000 * n}, {"lost messages", total.lost, 20 * n}, {"doubled messages", total.doubled, 5 * n},
		{"crashes", total.crashes, n / 3}, {"freezes", total.freezes, n}, {"partitions", total.cuts, n / 2},
		{"leaves", total.leaves, n}, {"service restarts", total.restarts, n / 4}, {"deaf processors", total.deaf, n / 4},
		{"lapsed leases", total.lapses, n}, {"evictions", total.evictions, n / 4}, {"commits", total.commits, 100 * n},
		{"fenced commits", total.fenced, n / 2}, {"handovers", total.handovers, 10 * n}, {"adoptions", total.adopted, n / 4},
		{"failed processors", total.failures, n}, {"stale heartbeats", total.staleBeats, n}, {"shards out and back", total.flaps, n / 4},
	} {
		if min.got < min.want {
			t.Errorf("%d seeds had %d %s; at least %d are needed to mean anything", n, min.got, min.what, min.want)
		}
	}
}

// TestSimPlanned runs joins and leaves only: every record is then processed exactly
// once, and no commit is refused.
func TestSimPlanned(t *testing.T) {
	n := (*simSeeds + 2) / 3
	total := simulateSeeds(t, "TestSimPlanned", n, scenario{})
	if n >= 50 && (total.leaves < n || total.handovers < 20*n) {
		t.Errorf("%d seeds had %d leaves and %d handovers: too few to mean anything", n, total.leaves, total.handovers)
	}
	if total.fenced+total.lapses+total.evictions != 0 {
		t.Errorf("planned changes cost %d commits, %d leases, %d memberships", total.fenced, total.lapses, total.evictions)
	}
}

// TestSimFinite gives the work an end, with and without faults: nobody is told that all
// is done before it is, and when it is, everybody goes.
func TestSimFinite(t *testing.T) {
	n := (*simSeeds + 2) / 3
	total := simulateSeeds(t, "TestSimFinite", n, scenario{faults: true, finite: true})
	total.add(simulateSeeds(t, "TestSimFinite", n, scenario{finite: true}))
	if n >= 50 && total.finishes < 4*n {
		t.Errorf("%d seeds had %d members that finished: too few to mean anything", 2*n, total.finishes)
	}
}

// simulateSeeds runs the seeds on two goroutines and sums up what happened.
func simulateSeeds(t *testing.T, name string, n int, sc scenario) stats {
	t.Helper()
	var mu sync.Mutex
	var total stats
	var wg sync.WaitGroup
	const workers = 2
	for k := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := k; i < n && !t.Failed(); i += workers {
				sc := sc
				sc.seed = *simSeed + uint64(i)
				w, err := simulate(sc)
				mu.Lock()
				total.add(w.stats)
				mu.Unlock()
				if err != nil {
					t.Errorf("%v\nreplay: go test -run '^%s$' -seed %d -seeds 1 ./shardset/group\n%s", err, name, sc.seed, history(sc))
				}
			}
		}()
	}
	wg.Wait()
	return total
}

// history runs a scenario again and returns the end of what happened in it.
func history(sc scenario) string {
	sc.trace = true
	w, _ := simulate(sc)
	return strings.Join(w.lines[max(0, len(w.lines)-80):], "\n")
}
