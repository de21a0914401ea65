package coordinator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// unaware is a service that does not know that shards end.
type unaware struct{ *wire }

func (u unaware) Info() heartbeat.Info {
	info := u.wire.Info()
	info.Guarantees.Completion = false
	return info
}

func (u unaware) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	r.Closed, r.Complete = nil, nil
	return u.wire.Beat(ctx, r)
}

// A service that goes on granting a shard that has ended gets it started again, with a
// line in the log, and seldom if that goes on for ever. One that takes it back does not,
// and neither does one whose shard is complete only.
func TestShardsThatHaveEnded(t *testing.T) {
	for name, c := range map[string]struct {
		serve           func(w *wire) heartbeat.Client
		result          error
		atLeast, atMost int // starts of each shard in an hour
	}{
		"never taken back":           {func(w *wire) heartbeat.Client { return unaware{w} }, processor.ErrShardClosed, 14, 19},
		"taken back":                 {func(w *wire) heartbeat.Client { return w }, processor.ErrShardClosed, 1, 1},
		"complete, never taken back": {func(w *wire) heartbeat.Client { return unaware{w} }, nil, 1, 1},
		"complete":                   {func(w *wire) heartbeat.Client { return w }, nil, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				w := launch(t, "a", c.serve(newWire(t, 2)), coordinator.Config{
					Logger:    zap.New(core),
					Processor: processor.FromFunc(func(context.Context, *processor.Shard) error { return c.result }),
				})
				time.Sleep(time.Hour)
				starts := map[shardset.ID]int{}
				for _, e := range w.heard("started") {
					starts[e.ID]++
				}
				for n := range 2 {
					if got := starts[id(n)]; got < c.atLeast || got > c.atMost {
						t.Errorf("shard %v was started %d times in an hour, want %d to %d", id(n), got, c.atLeast, c.atMost)
					}
				}
				if got, want := logs.FilterMessageSnippet("goes on granting").Len(), starts[id(0)]+starts[id(1)]-2; got != want {
					t.Errorf("%d lines for %d starts that came again", got, want)
				}
				w.end()
			})
		})
	}
}

// A finite run ends all the same, however many shards there are.
func TestFiniteRunOnAnUnawareService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := newTask()
		work.end = processor.ErrShardClosed
		w := launch(t, "a", unaware{newWire(t, 100)}, work.config())
		finished(t, 100*time.Second, 100*time.Second+5*ttl, w)
		work.check(t, 100)
	})
}
