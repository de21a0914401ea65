package natskv_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// The fleets of the benchmarks sync every write.
var (
	syncAlone = sync.OnceValue(func() *fleet {
		s, err := embedded.Start(filepath.Join(home, "sync-alone"))
		return started([]*embedded.Server{s}, err)
	})
	syncTrio = sync.OnceValue(func() *fleet {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return started(embedded.StartCluster(ctx, filepath.Join(home, "sync-trio"), 3, embedded.Config{}))
	})
)

// BenchmarkRecords is the usual traffic of members: each writes its own record, one write
// after the other, from three processes on three nodes.
func BenchmarkRecords(b *testing.B) {
	for _, storage := range []string{"memory", "disk"} {
		for _, members := range []int{32, 1000} {
			b.Run(fmt.Sprintf("%s/members=%d", storage, members), func(b *testing.B) {
				f := syncTrio()
				cfg := f.config()
				cfg.Namespace, cfg.RecordsOnDisk = "bench-"+storage, storage == "disk"
				benchmarkRecords(b, f, cfg, members)
			})
		}
	}
}

func benchmarkRecords(b *testing.B, f *fleet, cfg natskv.Config, members int) {
	stores := make([]replicated.Store, 3)
	for i := range stores {
		stores[i] = f.dial(b, i, cfg)
	}
	at := make([]uint64, members)
	data := make([]byte, 100)
	var left, failed atomic.Int64
	times := make([][]time.Duration, members)
	// round has every member write until the writes are used up.
	round := func(writes int) {
		left.Store(int64(writes))
		var all sync.WaitGroup
		for m := range members {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					start := time.Now()
					revision, err := stores[m%3].Swap(context.Background(), record(fmt.Sprint("member-", m)), at[m], data)
					if err != nil {
						failed.Add(1)
						b.Log(err)
						return
					}
					at[m] = revision
					times[m] = append(times[m], time.Since(start))
				}
			})
		}
		all.Wait()
	}
	round(members) // they join
	for m := range times {
		times[m] = nil
	}
	start := time.Now()
	b.ResetTimer()
	round(b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "writes/s")
	report(b, "write", slices.Concat(times...))
	if n := failed.Load(); n > 0 {
		b.Errorf("%d members failed", n)
	}
}

// report reports the p50 and the p99 of some times, in milliseconds.
func report(b *testing.B, what string, times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(times[len(times)/2]), what+"-p50-ms")
	b.ReportMetric(ms(times[len(times)*99/100]), what+"-p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDocument is a step of a large group: one writer, and a watch on another node. A
// wake-up is the time from the start of the write to the call of the watch's sink.
func BenchmarkDocument(b *testing.B) {
	for name, f := range map[string]func() *fleet{"R1": syncAlone, "R3": syncTrio} {
		b.Run(name, func(b *testing.B) {
			f := f()
			cfg := f.config()
			writer, watcher := f.dial(b, 0, cfg), f.dial(b, 1, cfg)
			heard := make(chan uint64, 1)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() {
				done <- watcher.Watch(ctx, replicated.KindDocument, func(e replicated.Event) { heard <- e.Value.Revision })
			}()
			<-heard // it has caught up
			data := make([]byte, 60<<10)
			var at uint64
			var writes, wakes []time.Duration
			for b.Loop() {
				start := time.Now()
				revision, err := writer.Swap(ctx, document, at, data)
				if err != nil {
					b.Fatal(err)
				}
				writes = append(writes, time.Since(start))
				at = revision
				for <-heard != at {
				}
				wakes = append(wakes, time.Since(start))
			}
			cancel()
			<-done
			report(b, "write", writes)
			report(b, "wake", wakes)
		})
	}
}
