package coordinator_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// advising is a service that says how often its members should beat, and counts.
type advising struct {
	*memory.Service
	interval time.Duration

	mu    sync.Mutex
	beats []time.Time
}

func (a *advising) Info() heartbeat.Info {
	info := a.Service.Info()
	info.Interval = a.interval
	return info
}

func (a *advising) Beat(ctx context.Context, r heartbeat.Request) (shardset.Answer, error) {
	a.mu.Lock()
	a.beats = append(a.beats, time.Now())
	a.mu.Unlock()
	return a.Service.Beat(ctx, r)
}

// Who has no opinion on the interval does as the service advises; who has one, does not.
func TestIntervalFromTheService(t *testing.T) {
	for _, c := range []struct {
		name                  string
		advised, config, want time.Duration
	}{
		{"advised", 700 * time.Millisecond, 0, 700 * time.Millisecond},
		{"own", 700 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond},
		{"none", 0, 0, coordinator.DefaultInterval},
		{"absurd", time.Nanosecond, 0, coordinator.DefaultInterval},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service, err := memory.New(memory.Config{Shards: shardset.Range("orders", 2)})
				if err != nil {
					t.Fatal(err)
				}
				a := &advising{Service: service, interval: c.advised}
				w, err := coordinator.New(coordinator.Config{
					Group: a, Interval: c.config, Member: "a",
					Processor: processor.Each(func(_ context.Context, s *processor.Shard) error { <-s.Revoked(); return nil }),
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := w.Run(ctx); err != nil {
					t.Fatal(err)
				}
				n := len(a.beats)
				if got := a.beats[n-1].Sub(a.beats[n-2]); got != c.want {
					t.Errorf("a settled member beats every %v, want %v", got, c.want)
				}
			})
		})
	}
}
