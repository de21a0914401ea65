package coordinator_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

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

func (a *advising) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	a.mu.Lock()
	a.beats = append(a.beats, time.Now())
	a.mu.Unlock()
	return a.Service.Beat(ctx, r)
}

// Without a configured interval, the worker uses the one that the service advises.
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
					Processor: processor.FromFunc(func(_ context.Context, s *processor.Shard) error { <-s.Revoked(); return nil }),
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

// changing is a service with a TTL that the test changes. It keeps leases for a minute all the
// same, which does no harm.
type changing struct {
	*wire
	mu  sync.Mutex
	ttl time.Duration
}

func (c *changing) set(ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ttl = ttl
}

func (c *changing) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	a, err := c.wire.Beat(ctx, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	a.TTL = c.ttl
	return a, err
}

// A TTL that becomes shorter makes the worker send heartbeats faster, with one warning, and
// costs no shard. Run ends only if three heartbeats of 100 ms do not fit.
func TestIntervalFollowsAShorterTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, err := memory.New(memory.Config{TTL: time.Minute, Shards: shardset.Range("orders", 2)})
		if err != nil {
			t.Fatal(err)
		}
		c := &changing{wire: &wire{Service: service}, ttl: time.Minute}
		core, logs := observer.New(zap.InfoLevel)
		w := launch(t, "a", c, coordinator.Config{Interval: 20 * time.Second, TryTimeout: 10 * time.Second, Logger: zap.New(core)})
		time.Sleep(5 * time.Minute)
		warnings := logs.FilterLevelExact(zap.WarnLevel).Len()
		gap := func() time.Duration {
			times := c.beatTimes()
			return times[len(times)-1].Sub(times[len(times)-2])
		}
		if got := gap(); got != 20*time.Second {
			t.Errorf("under a TTL of a minute it beats every %v", got)
		}
		c.set(3 * time.Second)
		time.Sleep(time.Minute)
		if got := gap(); got != time.Second {
			t.Errorf("under a TTL of 3s it beats every %v", got)
		}

		// A heartbeat that hangs is given up in time for others: the lease holds.
		n := 0
		c.setFault(func(ctx context.Context, _ shardset.Heartbeat) error {
			if n++; n > 2 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		time.Sleep(time.Minute)
		if len(w.heard("cancelled"))+len(w.heard("draining")) != 0 {
			t.Error("a shard was lost")
		}
		if got := logs.FilterMessageSnippet("sending heartbeats faster").FilterLevelExact(zap.WarnLevel).Len(); got != 1 || warnings != 0 {
			t.Errorf("it warned %d times, want once; %d warnings before", got, warnings)
		}

		c.set(time.Minute)
		time.Sleep(5 * time.Minute)
		if got := gap(); got != 20*time.Second {
			t.Errorf("under a TTL of a minute, again, it beats every %v", got)
		}

		c.set(299 * time.Millisecond)
		<-w.done
		var bad *shardset.IntervalError
		if !errors.As(w.err, &bad) || bad.TTL != 299*time.Millisecond {
			t.Errorf("Run returned %v, want an IntervalError", w.err)
		}
	})
}

// Without a configured interval, the interval follows the TTL of the first answer.
func TestUnsetIntervalFollowsTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, err := memory.New(memory.Config{TTL: 1500 * time.Millisecond, Shards: shardset.Range("orders", 2)})
		if err != nil {
			t.Fatal(err)
		}
		w, err := coordinator.New(coordinator.Config{Group: service, Member: "a", Processor: processor.FromFunc(idle)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run returned %v", err)
		}
		if s := w.Status(); s.Counters.Heartbeats < 100 || s.Counters.LeasesLost != 0 {
			t.Errorf("in a minute %d heartbeats were answered and %d leases lost", s.Counters.Heartbeats, s.Counters.LeasesLost)
		}
	})
}

// An interval that the service advised follows the TTL both ways, without a warning.
func TestAdvisedIntervalFollowsTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, err := memory.New(memory.Config{TTL: 20 * time.Second, Shards: shardset.Range("orders", 2)})
		if err != nil {
			t.Fatal(err)
		}
		a := &advising{Service: service, interval: 5 * time.Second}
		core, logs := observer.New(zap.WarnLevel)
		w, err := coordinator.New(coordinator.Config{Group: a, Member: "a", Processor: processor.FromFunc(idle), Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		for _, ttl := range []time.Duration{20 * time.Second, time.Minute, 6 * time.Second, 20 * time.Second} {
			if err := service.SetTTL(ttl); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute)
			a.mu.Lock()
			n := len(a.beats)
			gap := a.beats[n-1].Sub(a.beats[n-2])
			a.mu.Unlock()
			if gap != ttl/4 {
				t.Errorf("under a TTL of %v it beats every %v", ttl, gap)
			}
		}
		if n := w.Status().Counters.LeasesLost; n != 0 || logs.Len() != 0 {
			t.Errorf("%d leases were lost, and %d lines warn", n, logs.Len())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
