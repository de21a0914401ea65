package coordinator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
)

// The status of a shard says since when it is in its state, whether that comes from the
// protocol, from the processor, or from a processor that makes no progress.
func TestShardStatusSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		at := func(d time.Duration) time.Time { return start.Add(d) }
		line := newWire(t, 1)
		w := launch(t, "a", line, coordinator.Config{
			Checkpoints: slowLoad{line, 3 * time.Second}, NoProgressAfter: 5 * time.Minute,
			Restart: processor.Backoff{Min: time.Hour, Max: time.Hour},
			Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
				time.Sleep(time.Until(at(3 * time.Minute)))
				s.ReportProgress(processor.Progress{})
				time.Sleep(time.Until(at(10 * time.Minute)))
				return errCut
			}),
		})
		for _, c := range []struct {
			at    time.Duration
			state coordinator.ShardState
			since time.Duration
		}{
			{time.Second, coordinator.ShardStarting, 0},
			{2 * time.Minute, coordinator.ShardRunning, 3 * time.Second},
			{9 * time.Minute, coordinator.ShardStuck, 3 * time.Minute},
			{11 * time.Minute, coordinator.ShardRestarting, 10 * time.Minute},
		} {
			time.Sleep(time.Until(at(c.at)))
			sh := w.Status().Shards[0]
			if sh.State != c.state || !sh.Since.Equal(at(c.since)) {
				t.Errorf("after %v it is %v since %v, want %v since %v", c.at, sh.State, sh.Since.Sub(start), c.state, c.since)
			}
		}
		w.end()
	})
}

// slowLoad takes that long for a load.
type slowLoad struct {
	processor.Checkpoints
	takes time.Duration
}

func (l slowLoad) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	time.Sleep(l.takes)
	return l.Checkpoints.Load(ctx, o)
}
