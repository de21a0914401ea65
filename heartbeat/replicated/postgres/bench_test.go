package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// benchRecord is as large as the record of a member with a few shards.
var benchRecord = make([]byte, 64)

// BenchmarkRecordSwap measures members that write their own records as fast as they can,
// over a pool of 32 connections.
func BenchmarkRecordSwap(b *testing.B) {
	for _, members := range []int{32, 1000} {
		for _, quiet := range []bool{true, false} {
			b.Run(fmt.Sprintf("members=%d/quiet=%v", members, quiet), func(b *testing.B) {
				s := benchStore(b)
				revs := make([]uint64, members)
				for i := range revs {
					revs[i] = swap(b, s, record(fmt.Sprint("member-", i)), 0, string(benchRecord))
				}
				write := s.Swap
				if quiet {
					write = s.SwapQuietly
				}
				var left atomic.Int64
				left.Store(int64(b.N))
				times := make([][]time.Duration, members)
				var all sync.WaitGroup
				b.ResetTimer()
				for i := range members {
					all.Go(func() {
						for left.Add(-1) >= 0 {
							start := time.Now()
							rev, err := write(context.Background(), record(fmt.Sprint("member-", i)), revs[i], benchRecord)
							if err != nil {
								b.Error(err)
								return
							}
							revs[i] = rev
							times[i] = append(times[i], time.Since(start))
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "swaps/s")
				report(b, slices.Concat(times...))
			})
		}
	}
}

// BenchmarkDocumentSwap writes a document of 60 KB, about the size for 1,000 members and
// 10,000 shards.
func BenchmarkDocumentSwap(b *testing.B) {
	s := benchStore(b)
	data := make([]byte, 60_000)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	rev := swap(b, s, document, 0, "")
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		var err error
		if rev, err = s.Swap(b.Context(), document, rev, data); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	report(b, times)
}

// BenchmarkWatch measures the time from the start of a swap of the document until each of
// several processes has reported it.
func BenchmarkWatch(b *testing.B) {
	for _, watches := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("watches=%d", watches), func(b *testing.B) {
			cfg := groupConfig(b)
			cfg.Pool = newPool(b, 20)
			s := dial(b, cfg)
			ctx, cancel := context.WithCancel(context.Background())
			var all sync.WaitGroup
			defer all.Wait()
			defer cancel()
			heard := make(chan time.Time, watches)
			rev := swap(b, s, document, 0, "x")
			for range watches {
				w := dial(b, cfg)
				all.Go(func() {
					_ = w.Watch(ctx, replicated.KindDocument, func(e replicated.Event) {
						if e.Key == document {
							heard <- time.Now()
						}
					})
				})
			}
			for range watches {
				<-heard
			}
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				rev = swap(b, s, document, rev, "x")
				for range watches {
					times = append(times, (<-heard).Sub(start))
				}
			}
			report(b, times)
		})
	}
}

func benchStore(b *testing.B) *store {
	cfg := groupConfig(b)
	cfg.Pool = newPool(b, 32)
	return dial(b, cfg)
}

// report reports the median and the 99th percentile of some times.
func report(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(times[len(times)/2]), "p50-ms")
	b.ReportMetric(ms(times[len(times)*99/100]), "p99-ms")
	b.ReportMetric(0, "ns/op")
}
