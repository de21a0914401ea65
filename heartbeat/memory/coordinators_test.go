package memory_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Twenty workers come and go and come again on one service. No shard is ever worked on
// twice at once, none goes back, and in the end none has a gap.
func TestManyCoordinators(t *testing.T) {
	const workers, shards, step = 20, 48, 100 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, memory.Config{TTL: 6 * time.Second, Shards: shardset.Range("orders", shards)})
		var busy, done [shards]atomic.Int64
		work := func(ctx context.Context, sh *processor.Shard) error {
			n := sh.ID().Number
			if got := busy[n].Add(1); got != 1 {
				t.Errorf("%d workers have shard %d", got, n)
			}
			defer busy[n].Add(-1)
			at := int64(0)
			if p, ok := sh.Resume(); ok {
				at, _ = strconv.ParseInt(string(p), 10, 64)
			}
			if last := done[n].Load(); at != last {
				t.Errorf("shard %d goes on from %d; %d was committed", n, at, last)
			}
			for {
				select {
				case <-sh.Revoked():
					return nil
				case <-time.After(step):
				}
				at++
				if err := sh.Commit(ctx, processor.Position(strconv.FormatInt(at, 10))); err != nil {
					return err
				}
				done[n].Store(at)
			}
		}
		var all sync.WaitGroup
		for i := range workers {
			all.Go(func() {
				for life := range 3 {
					time.Sleep(time.Duration(i*life) * 300 * time.Millisecond)
					c, err := coordinator.New(coordinator.Config{
						Group: s, Processor: processor.FromFunc(work), Member: fmt.Sprint("w", i),
					})
					if err != nil {
						t.Error(err)
						return
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(10+i)*time.Second)
					if err := c.Run(ctx); err != nil {
						t.Errorf("worker %d, life %d: %v", i, life, err)
					}
					cancel()
				}
			})
		}
		all.Wait()
		for n := range done {
			// The first ten seconds at least somebody has it all the time.
			if got := done[n].Load(); got < 80 {
				t.Errorf("shard %d was committed up to %d, want 80 at least", n, got)
			}
			if p, _ := s.Position(shardset.ID{Log: "orders", Number: n}); string(p) != strconv.FormatInt(done[n].Load(), 10) {
				t.Errorf("shard %d is at %s in the store, and %d was committed", n, p, done[n].Load())
			}
		}
		if snap := s.Snapshot(); len(snap.Members) != 0 {
			t.Errorf("all have left, and the group has the members %+v", snap.Members)
		}
	})
}
