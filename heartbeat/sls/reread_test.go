package sls

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// The timeout is read again twice a minute, beside the heartbeats, and the next answer
// has it; and before the next heartbeat after an eviction, which may come of a shorter
// one.
func TestTimeoutIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{timeout: 20}
		var evict atomic.Bool
		w := service(6, func(s sent) *http.Response {
			if s.Method == "POST" && evict.Load() {
				return refuse(400, "NotExistConsumerWithBody", "")
			}
			return g.first(s)
		})
		c := newClient(t, config(w))
		beat := func(want time.Duration, lines ...string) {
			t.Helper()
			w.reset()
			a, err := c.Beat(t.Context(), request())
			if a.TTL != want {
				t.Errorf("the heartbeat returned %+v, %v, want a TTL of %v", a, err, want)
			}
			synctest.Wait()
			expectLines(t, w, lines...)
		}
		beat(20*time.Second, listLine, beatLine+"[]")
		g.set(10)
		time.Sleep(rereadEvery - time.Nanosecond)
		beat(20*time.Second, beatLine+"[]")
		time.Sleep(time.Nanosecond)
		beat(20*time.Second, beatLine+"[]", listLine)
		beat(10*time.Second, beatLine+"[]")

		g.set(5)
		evict.Store(true)
		beat(0, beatLine+"[]")
		evict.Store(false)
		beat(5*time.Second, listLine, beatLine+"[]") // the old timeout is not believed

		// A reading that fails costs nothing but another one soon.
		g.fail = true
		time.Sleep(rereadEvery)
		beat(5*time.Second, beatLine+"[]", listLine)
		beat(5*time.Second, beatLine+"[]")
		g.fail = false
		g.set(7)
		time.Sleep(rereadSoon)
		beat(5*time.Second, beatLine+"[]", listLine)
		beat(7*time.Second, beatLine+"[]")
	})
}

// far is a service that is a round trip away.
func far(w *wire, trip time.Duration) {
	near := w.answer
	w.answer = func(s sent) (*http.Response, error) {
		select {
		case <-time.After(trip):
			return near(s)
		case <-s.Context().Done():
			return nil, s.Context().Err()
		}
	}
}

// A service that is far away has its shorter timeout heard of, although a heartbeat has
// no time for two calls.
func TestTimeoutIsReadAgainSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{timeout: 20}
		w := service(20, g.first)
		far(w, 300*time.Millisecond)
		c := newClient(t, config(w))
		beat := func() time.Duration {
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			a, err := c.Beat(ctx, request())
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the heartbeat returned %v", err)
			}
			return a.TTL
		}
		if beat() != 0 || beat() != 20*time.Second { // the first one only reads the settings
			t.Error("the second try got no answer")
		}
		g.set(6)
		time.Sleep(rereadEvery)
		start := time.Now()
		if ttl := beat(); ttl != 20*time.Second || time.Since(start) != 300*time.Millisecond {
			t.Errorf("after %v the heartbeat returned a TTL of %v", time.Since(start), ttl)
		}
		time.Sleep(time.Second)
		if ttl := beat(); ttl != 6*time.Second {
			t.Errorf("after the reading the TTL is %v, want 6s", ttl)
		}
	})
}

// hanging makes the lists of a service hang from when it is set.
func hanging(w *wire) *atomic.Bool {
	hang := &atomic.Bool{}
	plain := w.answer
	w.answer = func(s sent) (*http.Response, error) {
		if s.Method == "GET" && hang.Load() {
			<-s.Context().Done()
			return nil, s.Context().Err()
		}
		return plain(s)
	}
	return hang
}

// A reading that hangs delays no heartbeat, runs once at a time, and not for ever.
func TestReadingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		w := service(20, nil)
		hang := hanging(w)
		cfg := config(w)
		cfg.Timeout, cfg.Logger = 20*time.Second, zap.New(core)
		c := newClient(t, cfg)
		beat := func() {
			t.Helper()
			start := time.Now()
			if a, err := c.Beat(t.Context(), request()); err != nil || a.TTL != 20*time.Second || time.Since(start) != 0 {
				t.Errorf("after %v the heartbeat returned %+v, %v", time.Since(start), a, err)
			}
		}
		beat()
		hang.Store(true)
		time.Sleep(rereadEvery)
		w.reset()
		for range 9 {
			beat()
			time.Sleep(time.Second)
		}
		if n := strings.Count(strings.Join(w.lines(), "\n"), listLine); n != 1 {
			t.Errorf("in 9 seconds it read %d times, want once", n)
		}
		time.Sleep(rereadTimeout)
		if n := logs.FilterMessageSnippet("cannot read the group's settings again").Len(); n != 1 {
			t.Errorf("it logged %d warnings for a reading that hung", n)
		}
		beat()
		w.reset()
		time.Sleep(time.Second)
		if err := c.Close(); err != nil { // stops the one that is under way
			t.Error(err)
		}
		if n := logs.Len(); n != 1 {
			t.Errorf("after Close there are %d warnings", n)
		}
	})
}

// An older reading says nothing about the time after an eviction, and does not keep the
// member from its own.
func TestReadingBeforeAnEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{timeout: 20}
		var lists atomic.Int64
		w := service(20, nil)
		w.answer = func(s sent) (*http.Response, error) {
			if s.Method == "GET" {
				n := lists.Add(1)
				r := g.first(s) // what was true when it was asked
				if n == 2 {
					time.Sleep(5 * time.Second)
				}
				return r, nil
			}
			if len(s.body) > len("[]") {
				return refuse(400, "NotExistConsumerWithBody", ""), nil
			}
			return reply(200, "[]"), nil
		}
		c := newClient(t, config(w))
		beat := func(want time.Duration, held ...int) error {
			t.Helper()
			start := time.Now()
			a, err := c.Beat(t.Context(), request(held...))
			if a.TTL != want || time.Since(start) != 0 {
				t.Errorf("after %v the heartbeat returned %+v, %v, want a TTL of %v", time.Since(start), a, err, want)
			}
			return err
		}
		_ = beat(20 * time.Second)
		time.Sleep(rereadEvery)
		_ = beat(20 * time.Second) // begins the reading
		time.Sleep(time.Second)
		g.set(6)
		if err := beat(0, 1); !errors.Is(err, heartbeat.ErrEvicted) {
			t.Errorf("a stranger's heartbeat returned %v", err)
		}
		_ = beat(6 * time.Second)
		time.Sleep(10 * time.Second)
		_ = beat(6 * time.Second)
	})
}

// Info shows the order of the group once it is known.
func TestInfoFollowsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{timeout: 6, ordered: true}
		cfg := config(service(6, g.first))
		c := newClient(t, cfg)
		ordered := func(want bool) {
			t.Helper()
			if got := c.Info().Guarantees; got != (heartbeat.Guarantees{FencedCommit: true, Ordered: want}) {
				t.Errorf("the client promises %s, want Ordered: %v", got, want)
			}
		}
		beat := func() {
			t.Helper()
			if _, err := c.Beat(t.Context(), request()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		ordered(false)
		beat()
		ordered(true)
		c.invalidateSettings()
		ordered(true)
		beat()
		g.mu.Lock()
		g.ordered = false
		g.mu.Unlock()
		time.Sleep(rereadEvery)
		beat()
		ordered(false)
	})
}
