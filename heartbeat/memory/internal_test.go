package memory

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// When the last lease has ended and the last watcher is gone, nothing is left that
// could fire or grow.
func TestNothingIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{TTL: 6 * time.Second, Shards: shardset.Range("orders", 8)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 50 {
			name := fmt.Sprint("m", i)
			if _, err := s.Watch(ctx, name); err != nil {
				t.Fatal(err)
			}
			r := shardset.Heartbeat{Member: name, Seq: 1, Instance: 1}
			if _, err := s.Beat(ctx, r); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if s.pending() == nil {
			t.Error("members have leases, and no timer waits for their end")
		}
		cancel()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.timer != nil {
			t.Errorf("all leases have ended, and a timer waits for %v", s.timerAt)
		}
		if len(s.watchers) != 0 {
			t.Errorf("all contexts have ended, and %d members are watched", len(s.watchers))
		}
	})
}

// pending returns the timer that waits, if one does.
func (s *Service) pending() *time.Timer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timer
}

// The timer fires once a TTL, not once a heartbeat.
func TestTimerIsLeftToFireEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{TTL: 6 * time.Second, Shards: shardset.Range("orders", 8)})
		if err != nil {
			t.Fatal(err)
		}
		r := shardset.Heartbeat{Member: "m", Instance: 1}
		timers := map[*time.Timer]bool{}
		for range 60 {
			r.Seq++
			if _, err := s.Beat(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			timers[s.pending()] = true
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if len(timers) > 15 {
			t.Errorf("60 heartbeats in a minute made %d timers, for a TTL of 6s", len(timers))
		}
	})
}
