package runner_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// discard is a store that does nothing.
type discard struct{}

func (discard) Load(context.Context, processor.Owner) (processor.Position, bool, error) {
	return "", false, nil
}
func (discard) Save(context.Context, processor.Owner, processor.Position) error { return nil }

// What a commit costs on top of the store.
func BenchmarkCommit(b *testing.B) {
	b.ReportAllocs()
	work := processor.Func(func(ctx context.Context, s *processor.Shard) error {
		p := processor.Position("0")
		for b.Loop() {
			if err := s.Commit(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	rn := runner.New(runner.Config{Factory: processor.FromFunc(work), Checkpoints: discard{}})
	run := rn.New(context.Background(), shardset.Lease{Epoch: 1}, 1, runner.NewMemberLease(time.Now().Add(time.Hour)))
	run.Do(func(o shardset.Outcome) {
		if o != shardset.OutcomeComplete {
			b.Errorf("the run ended with outcome %v, want %v", o, shardset.OutcomeComplete)
		}
	})
}

// The cost of an idle shard: its goroutine waits for Revoked.
func BenchmarkIdleRun(b *testing.B) {
	const shards = 10_000
	for b.Loop() {
		var running, returned sync.WaitGroup
		running.Add(shards)
		idle := processor.Func(func(ctx context.Context, s *processor.Shard) error {
			running.Done()
			<-s.Revoked()
			return nil
		})
		rn := runner.New(runner.Config{Factory: processor.FromFunc(idle), Checkpoints: discard{}})
		term := runner.NewMemberLease(time.Now().Add(time.Hour))
		runs := make([]*runner.Run, shards)

		before := inUse()
		for i := range runs {
			l := shardset.Lease{ID: shardset.ID{Log: "orders", Number: i}, Epoch: uint64(i)}
			runs[i] = rn.New(context.Background(), l, 1, term)
			returned.Go(func() { runs[i].Do(func(shardset.Outcome) {}) })
		}
		running.Wait()
		b.ReportMetric(float64(inUse()-before)/shards, "bytes/shard")

		for _, r := range runs {
			r.Revoke(processor.ErrShutdown)
		}
		returned.Wait()
	}
}

// inUse returns the bytes of live objects and of goroutine stacks.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
