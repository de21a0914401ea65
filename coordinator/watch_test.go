package coordinator_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
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

// pusher is a service without shards that pushes as the test says. Times count from its
// start.
type pusher struct {
	start time.Time
	watch func(ctx context.Context, n int) (<-chan struct{}, error)

	mu      sync.Mutex
	watches []time.Duration // when Watch was called
	beats   []time.Duration
}

func newPusher(watch func(ctx context.Context, n int) (<-chan struct{}, error)) *pusher {
	return &pusher{start: time.Now(), watch: watch}
}

func (p *pusher) Info() heartbeat.Info {
	return heartbeat.Info{Group: "pusher", Guarantees: heartbeat.Guarantees{Push: true}}
}

func (p *pusher) Beat(context.Context, shardset.Heartbeat) (shardset.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beats = append(p.beats, time.Since(p.start))
	return shardset.Answer{TTL: 24 * time.Hour}, nil
}

func (p *pusher) Watch(ctx context.Context, member string) (<-chan struct{}, error) {
	if member != "a" {
		panic("watch of " + member)
	}
	p.mu.Lock()
	p.watches = append(p.watches, time.Since(p.start))
	n := len(p.watches)
	p.mu.Unlock()
	return p.watch(ctx, n)
}

// run runs a worker for d, and returns when Watch was called and when heartbeats left.
func (p *pusher) run(t *testing.T, d time.Duration, cfg coordinator.Config) (watches, beats []time.Duration) {
	t.Helper()
	cfg.Checkpoints = processor.NewMemoryCheckpoints()
	w := launch(t, "a", p, cfg)
	time.Sleep(d)
	p.mu.Lock()
	watches, beats = slices.Clone(p.watches), slices.Clone(p.beats)
	p.mu.Unlock()
	if took, err := w.end(); err != nil || took > 0 {
		t.Errorf("Run returned %v after %v, want nil at once", err, took)
	}
	return watches, beats
}

// onlyPushes has no regular heartbeats in the time of a test.
var onlyPushes = coordinator.Config{Interval: time.Hour, FastInterval: time.Hour}

// open returns a channel that carries a value at each of these times, and is closed when ctx
// ends or at the last of them.
func open(ctx context.Context, breaks time.Duration, at ...time.Duration) <-chan struct{} {
	wake := make(chan struct{}, 1)
	go func() {
		defer close(wake)
		start := time.Now()
		for _, d := range append(at, breaks) {
			select {
			case <-time.After(d - time.Since(start)):
			case <-ctx.Done():
				return
			}
			if d != breaks {
				wake <- struct{}{}
			}
		}
	}()
	return wake
}

func TestPushWakesTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPusher(func(ctx context.Context, _ int) (<-chan struct{}, error) {
			return open(ctx, time.Hour, 5*time.Second, 7*time.Second), nil
		})
		watches, beats := p.run(t, 10*time.Second, onlyPushes)
		if n := len(beats); n < 2 || beats[n-2] != 5002*time.Millisecond || beats[n-1] != 7002*time.Millisecond {
			t.Errorf("pushed at 5s and 7s, heartbeats left at %v", beats)
		}
		if len(watches) != 1 {
			t.Errorf("Watch was called at %v, want once", watches)
		}
	})
}

// Changes before the watch stood were not pushed, so the worker asks.
func TestNewWatchIsFollowedByABeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		p := newPusher(func(ctx context.Context, n int) (<-chan struct{}, error) {
			time.Sleep(100 * ms)
			if n == 1 {
				return open(ctx, 5*time.Second), nil
			}
			return open(ctx, time.Hour), nil
		})
		watches, beats := p.run(t, time.Hour-time.Second, onlyPushes)
		if len(watches) != 2 {
			t.Fatalf("Watch was called at %v, want twice", watches)
		}
		if want := []time.Duration{0, 102 * ms, watches[1] + 102*ms}; !slices.Equal(beats, want) {
			t.Errorf("heartbeats left at %v, want %v", beats, want)
		}
	})
}

// A watch that breaks, or cannot be made, is made again with growing pauses of an interval
// at most.
func TestBrokenWatchIsRenewed(t *testing.T) {
	for name, watch := range map[string]func(context.Context, int) (<-chan struct{}, error){
		"refused": func(context.Context, int) (<-chan struct{}, error) { return nil, errCut },
		"broken":  func(ctx context.Context, _ int) (<-chan struct{}, error) { return open(ctx, 0), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := newPusher(watch).run(t, time.Minute, coordinator.Config{})
				if len(w) < 30 || len(w) > 70 {
					t.Errorf("Watch was called %d times in a minute with an interval of %v", len(w), interval)
				}
				for i := range len(w) - 1 {
					middle := min(interval/10<<min(i, 10), interval)
					if pause := w[i+1] - w[i]; pause < middle/2 || pause > min(middle*3/2, interval) {
						t.Errorf("pause %d before Watch is %v, want %v to %v", i+1, pause, middle/2, min(middle*3/2, interval))
					}
				}
			})
		})
	}
}

// A watch that worked and broke is made again soon: one that carried a push, or stood for an
// interval.
func TestWorkingWatchResetsThePauses(t *testing.T) {
	for name, pushes := range map[string][]time.Duration{"pushed": {time.Second}, "stood": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const lasts = interval + time.Millisecond
				w, _ := newPusher(func(ctx context.Context, n int) (<-chan struct{}, error) {
					if n < 10 {
						return nil, errCut
					}
					return open(ctx, lasts, pushes...), nil
				}).run(t, time.Minute, coordinator.Config{})
				if len(w) < 12 {
					t.Fatalf("Watch was called at %v", w)
				}
				for i := 9; i+1 < len(w); i++ {
					if pause := w[i+1] - w[i] - lasts; pause < interval/20 || pause > interval*3/20 {
						t.Errorf("a watch that worked was made again after %v, want %v to %v", pause, interval/20, interval*3/20)
					}
				}
			})
		})
	}
}

// A watch that does not work is counted, logged once, and in the status, until one works
// again: one that breaks as soon as it is made does not.
func TestFailingWatchIsSeen(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context) (<-chan struct{}, error){
		"refused": func(context.Context) (<-chan struct{}, error) { return nil, errCut },
		"broken":  func(ctx context.Context) (<-chan struct{}, error) { return open(ctx, 0), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken time.Time
				p := newPusher(nil)
				p.watch = func(ctx context.Context, n int) (<-chan struct{}, error) {
					switch time.Since(p.start) / (10 * time.Minute) {
					case 0, 2:
						return open(ctx, 10*time.Minute), nil
					}
					if broken.IsZero() {
						broken = time.Now()
					}
					return fail(ctx)
				}
				core, logs := observer.New(zap.InfoLevel)
				w := launch(t, "a", p, coordinator.Config{Checkpoints: processor.NewMemoryCheckpoints(), Logger: zap.New(core)})
				lines := func(text string) int { return logs.FilterMessageSnippet(text).Len() }

				time.Sleep(5 * time.Minute)
				if s := w.Status(); s.Degraded != nil || !s.DegradedSince.IsZero() || s.Counters.WatchesFailed != 0 {
					t.Errorf("a watch that stands: degraded since %v, %v; %v", s.DegradedSince, s.Degraded, s.Counters)
				}
				time.Sleep(10 * time.Minute)
				s := w.Status()
				if s.Degraded == nil || s.DegradedSince.After(broken) || broken.Sub(s.DegradedSince) > interval {
					t.Errorf("degraded since %v, %v, want since %v", s.DegradedSince, s.Degraded, broken)
				}
				if name == "refused" && !strings.Contains(s.Degraded.Error(), errCut.Error()) {
					t.Errorf("degraded because of %v, want %v", s.Degraded, errCut)
				}
				if n := s.Counters.WatchesFailed; n < 100 || n > 200 {
					t.Errorf("%d failures were counted in five minutes", n)
				}
				if n := lines("watch for pushes failed"); n != 1 {
					t.Errorf("%d warnings, want 1", n)
				}
				time.Sleep(10 * time.Minute)
				if s := w.Status(); s.Degraded != nil || !s.DegradedSince.IsZero() {
					t.Errorf("a watch that stands again: degraded since %v, %v", s.DegradedSince, s.Degraded)
				}
				if n := lines("watch for pushes works again"); n != 1 {
					t.Errorf("%d lines tell of the recovery, want 1", n)
				}
				time.Sleep(10 * time.Minute)
				if n := lines("watch for pushes failed"); n != 2 {
					t.Errorf("%d warnings after the second outage, want 2", n)
				}
				w.end()
				if s := w.Status(); s.Degraded != nil {
					t.Errorf("after Run it is degraded: %v", s.Degraded)
				}
			})
		})
	}
}

// A client that ends the goroutine of its watch, as runtime.Goexit does, is not called again.
// The member works without pushes from then on, and the status says so.
func TestGoexitInWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPusher(func(context.Context, int) (<-chan struct{}, error) {
			runtime.Goexit()
			return nil, nil
		})
		w := launch(t, "a", p, coordinator.Config{Checkpoints: processor.NewMemoryCheckpoints()})
		time.Sleep(time.Minute)
		s := w.Status()
		if s.State != coordinator.StateRunning || s.Degraded == nil || !s.DegradedSince.Equal(p.start) || s.Counters.WatchesFailed != 1 {
			t.Errorf("%v since %v, degraded because of %v; %v", s.State, s.DegradedSince, s.Degraded, s.Counters)
		}
		if _, err := w.end(); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}
