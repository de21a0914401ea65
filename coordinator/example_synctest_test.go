package coordinator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// ticker is a processor under test: it commits the time once a second.
func ticker(ctx context.Context, s *processor.Shard) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := s.Commit(ctx, processor.Position(now.UTC().Format(time.TimeOnly))); err != nil {
				return err
			}
		case <-s.Revoked():
			return nil
		}
	}
}

// A test of one's own processor: a whole group in fake time. Hours pass in
// milliseconds, and a goroutine that is left behind fails the test.
func TestOwnProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, err := memory.New(memory.Config{Shards: shardset.Range("clock", 1)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := coordinator.New(coordinator.Config{Group: service, Processor: processor.FromFunc(ticker)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour+time.Second/2)
		defer stop()
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		// Fake time begins at midnight.
		if got, _ := service.Position(shardset.ID{Log: "clock"}); got != "01:00:00" {
			t.Errorf("committed %q after an hour, want 01:00:00", got)
		}
	})
}
