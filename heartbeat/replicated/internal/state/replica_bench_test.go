package state_test

import (
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// BenchmarkAdopt is what every process does with every version of a document of 1,000
// members and 10,000 shards.
func BenchmarkAdopt(b *testing.B) {
	d := state.Document{Group: crowded(b, 1000, 10_000)}
	data := d.Encode()
	r := state.NewReplica()
	b.ReportAllocs()
	revision := uint64(0)
	for b.Loop() {
		revision++
		if err := r.Adopt(simStart, revision, version(b, data)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep is what the process does whose turn it is, after another has changed the
// same document: it applies all records anew, and finds that one more member has joined.
func BenchmarkStep(b *testing.B) {
	g := crowded(b, 1000, 10_000)
	d := state.Document{Group: g}
	data := d.Encode()
	r := state.NewReplica()
	if err := r.Adopt(simStart, 1, version(b, data)); err != nil {
		b.Fatal(err)
	}
	for i, m := range g.Snapshot().Members {
		a := r.Answer(m.Name, m.Instance)
		rec := record(state.StandingAlive, m.Name, m.Instance, a.Generation, a.Grants...)
		observe(r, simStart, m.Name, uint64(i+2), rec.Encode())
	}
	late := record(state.StandingAlive, "latecomer", 1, 0)
	observe(r, simStart, "latecomer", 5000, late.Encode())
	b.ReportAllocs()
	for b.Loop() {
		r.DiscardStep()
		if step, err := r.Step(); step == nil || err != nil {
			b.Fatalf("no step: %v", err)
		}
	}
}
