package coordinator_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// BenchmarkIdleShard measures what a shard costs that has nothing to do, its
// goroutine, contexts and protocol state included.
func BenchmarkIdleShard(b *testing.B) {
	const shards = 10_000
	for b.Loop() {
		service, err := memory.New(memory.Config{Shards: shardset.Range("idle", shards)})
		if err != nil {
			b.Fatal(err)
		}
		c := benchCoordinator(b, service)
		before := inUse()
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		waitFor(b, c, shards)
		after := inUse()
		b.ReportMetric(float64(after-before)/shards, "bytes/shard")
		stop()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		runtime.KeepAlive(service)
	}
}

// BenchmarkRunReturn measures how long Run takes to return when its context ends and
// no processor has anything in hand.
func BenchmarkRunReturn(b *testing.B) {
	for _, shards := range []int{16, 1000} {
		b.Run(fmt.Sprint(shards), func(b *testing.B) {
			var worst time.Duration
			for b.Loop() {
				b.StopTimer()
				service, err := memory.New(memory.Config{Shards: shardset.Range("idle", shards)})
				if err != nil {
					b.Fatal(err)
				}
				c := benchCoordinator(b, service)
				ctx, stop := context.WithCancel(b.Context())
				done := make(chan error)
				go func() { done <- c.Run(ctx) }()
				waitFor(b, c, shards)
				b.StartTimer()
				start := time.Now()
				stop()
				if err := <-done; err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(start))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		})
	}
}

func benchCoordinator(b *testing.B, service *memory.Service) *coordinator.Coordinator {
	b.Helper()
	c, err := coordinator.New(coordinator.Config{
		Group: service, Member: "bench", Processor: processor.FromFunc(idle),
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// waitFor waits until all shards run.
func waitFor(b *testing.B, c *coordinator.Coordinator, shards int) {
	b.Helper()
	for range 1000 {
		running := 0
		for _, s := range c.Status().Shards {
			if s.State == coordinator.ShardRunning {
				running++
			}
		}
		if running == shards {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("not all of %d shards run", shards)
}

// inUse returns the bytes in heap objects and stacks after collecting twice, so that
// stacks that grew once have shrunk.
func inUse() int64 {
	var m runtime.MemStats
	for range 4 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
