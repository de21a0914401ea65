package replicated_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/shardset"
)

// benchMember is a member of a benchmark: it obeys each answer.
type benchMember struct {
	c      *replicated.Client
	r      shardset.Heartbeat
	answer shardset.Answer
}

func (m *benchMember) beat(ctx context.Context) error {
	m.r.Seq++
	m.r.Held, m.r.Generation = m.answer.Grants, m.answer.Generation
	a, err := m.c.Beat(ctx, m.r)
	if err == nil {
		m.answer = a
	}
	return err
}

// benchGroup makes a group of one process with this many members, which share its shards.
func benchGroup(b *testing.B, members, shards int) []*benchMember {
	b.Helper()
	store := memstore.New()
	c, err := replicated.New(store.Dial("process"), replicated.Config{Group: "orders", Shards: shardset.Range("orders", shards)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	all := make([]*benchMember, members)
	for i := range all {
		all[i] = &benchMember{c: c, r: shardset.Heartbeat{Member: fmt.Sprintf("m%04d", i), Instance: 1}}
	}
	for settled := 0; settled < 3; {
		beatAll(b, all)
		n, least, most := 0, shards, 0
		for _, m := range all {
			n, least, most = n+len(m.answer.Grants), min(least, len(m.answer.Grants)), max(most, len(m.answer.Grants))
		}
		if settled++; n != shards || most-least > 1 {
			settled = 0
		}
	}
	return all
}

// beatAll has each member send a heartbeat, many at once.
func beatAll(b *testing.B, all []*benchMember) {
	b.Helper()
	var wg sync.WaitGroup
	for part := range slices.Chunk(all, max(1, len(all)/16)) {
		wg.Go(func() {
			for _, m := range part {
				if err := m.beat(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkBeat is one heartbeat of a settled group, in a process that serves all members.
func BenchmarkBeat(b *testing.B) {
	all := benchGroup(b, 100, 400)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := all[i%len(all)].beat(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBeatDuringSteps is heartbeats, one every half a millisecond, in a group whose document
// changes all the time, because a member joins and leaves: what they wait for the steps. A
// heartbeat that begins late, because the one before it took long, counts from when it was due.
func BenchmarkBeatDuringSteps(b *testing.B) {
	for _, size := range []struct{ members, shards int }{{100, 1_000}, {1_000, 10_000}} {
		b.Run(fmt.Sprintf("%dx%d", size.members, size.shards), func(b *testing.B) {
			all := benchGroup(b, size.members, size.shards)
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := uint64(1); ctx.Err() == nil; i++ {
					guest := &benchMember{c: all[0].c, r: shardset.Heartbeat{Member: "guest", Instance: i}}
					_ = guest.beat(ctx)
					guest.r.Seq++
					_ = guest.c.Leave(ctx, guest.r)
				}
			})
			var took []time.Duration
			due := time.Now()
			for i := 0; b.Loop(); i++ {
				due = due.Add(500 * time.Microsecond)
				time.Sleep(time.Until(due))
				if err := all[i%len(all)].beat(context.Background()); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(due))
			}
			cancel()
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-us")
		})
	}
}
