package shardset

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

const benchShards = 10_000

// benchGrants makes an answer as a decoder would: every name is its own string.
func benchGrants(from, n int) []Grant {
	grants := make([]Grant, n)
	for i := range grants {
		log := "orders-" + strconv.Itoa((from+i)/100)
		grants[i] = Grant{ID: ID{Log: log, Number: (from + i) % 100}, Epoch: 1}
	}
	slices.SortFunc(grants, compareGrants)
	return grants
}

func benchTracker(b *testing.B) (*Tracker, time.Time) {
	tr := NewTracker(TrackerConfig{
		Instance: 1, Interval: 2 * time.Second, Fast: 200 * time.Millisecond,
		DrainTimeout: time.Minute, StuckAfter: time.Second, RestartPause: time.Second,
	})
	now := time.Now()
	benchBeat(b, tr, now, benchGrants(0, benchShards))
	return tr, now
}

func benchBeat(b *testing.B, tr *Tracker, now time.Time, grants []Grant) Plan {
	p, err := tr.Accepted(now, tr.Beat(now).Seq, Answer{Grants: grants, TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// The steady state: 10,000 shards, a heartbeat, and an answer that changes nothing.
func BenchmarkTrackerUnchanged(b *testing.B) {
	tr, now := benchTracker(b)
	again := benchGrants(0, benchShards)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		if p := benchBeat(b, tr, now, again); len(p.Start)+len(p.Revoke) != 0 {
			b.Fatal("an unchanged answer changed something")
		}
	}
}

// All 10,000 shards are replaced by 10,000 others: the heartbeat and its answer,
// with the goroutines returning off the clock. The median and the best round are reported
// as well: on a machine that has other work the mean measures that work, too.
func BenchmarkTrackerSwap(b *testing.B) {
	tr, now := benchTracker(b)
	sides := [][]Grant{benchGrants(benchShards, benchShards), benchGrants(0, benchShards)}
	var took []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Second)
		began := time.Now()
		p := benchBeat(b, tr, now, sides[i%2])
		took = append(took, time.Since(began))
		if len(p.Start) != benchShards || len(p.Revoke) != benchShards {
			b.Fatalf("%d starts and %d revocations, want %d of each", len(p.Start), len(p.Revoke), benchShards)
		}
		b.StopTimer()
		for _, s := range p.Revoke {
			tr.Returned(now, s.ID, OutcomeReleased)
		}
		benchBeat(b, tr, now, sides[i%2])
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[0]), "best-ns/op")
	b.ReportMetric(float64(took[len(took)/2]), "median-ns/op")
}

// The other half of a swap: 10,000 goroutines return, one event each.
func BenchmarkTrackerReturns(b *testing.B) {
	tr, now := benchTracker(b)
	all := benchGrants(0, benchShards)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		now = now.Add(time.Second)
		p := benchBeat(b, tr, now, nil)
		b.StartTimer()
		for _, s := range p.Revoke {
			tr.Returned(now, s.ID, OutcomeReleased)
		}
		b.StopTimer()
		benchBeat(b, tr, now, nil)
		benchBeat(b, tr, now, all)
		b.StartTimer()
	}
}
