package sls

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// moody is a provider that gives good credentials once, and from then on does what the
// mood says.
type moody struct {
	life  time.Duration
	mood  func(ctx context.Context) (Credentials, error)
	calls atomic.Int64
	now   atomic.Int64 // questions at this moment
	most  atomic.Int64 // of these, ever
}

func (m *moody) Credentials(ctx context.Context) (Credentials, error) {
	m.most.Store(max(m.most.Load(), m.now.Add(1)))
	defer m.now.Add(-1)
	if m.calls.Add(1) > 1 {
		return m.mood(ctx)
	}
	c := Credentials{AccessKeyID: "id1", AccessKeySecret: heartbeat.NewSecret(mockSecret)}
	if m.life > 0 {
		c.Expires = time.Now().Add(m.life)
	}
	return c, nil
}

var errBank = errors.New("the bank is closed")

// moods are the ways in which a provider returns no credentials; free ends the stuck one.
func moods(free <-chan struct{}) map[string]func(context.Context) (Credentials, error) {
	return map[string]func(context.Context) (Credentials, error){
		"fails":  func(context.Context) (Credentials, error) { return Credentials{}, errBank },
		"hangs":  func(ctx context.Context) (Credentials, error) { <-ctx.Done(); return Credentials{}, ctx.Err() },
		"stuck":  func(context.Context) (Credentials, error) { <-free; return Credentials{}, errBank },
		"panics": func(context.Context) (Credentials, error) { panic("no bank") },
		"exits":  func(context.Context) (Credentials, error) { runtime.Goexit(); return Credentials{}, nil },
		"bad":    func(context.Context) (Credentials, error) { return Credentials{AccessKeyID: "a b"}, nil },
	}
}

// A provider that returns no more credentials costs no heartbeat while the last ones are good. The client
// asks it one question at a time and logs one line.
func TestProviderThatGivesNothingMore(t *testing.T) {
	for _, life := range []time.Duration{0, 20 * time.Minute} {
		free := make(chan struct{})
		for name, mood := range moods(free) {
			synctest.Test(t, func(t *testing.T) {
				free := make(chan struct{})
				if name == "stuck" {
					mood = moods(free)[name]
				}
				m := &moody{life: life, mood: mood}
				core, logs := observer.New(zap.WarnLevel)
				cfg := config(service(6, nil))
				cfg.Credentials, cfg.Logger = m, zap.New(core)
				c := newClient(t, cfg)
				for range 9 * 60 {
					start := time.Now()
					if _, err := c.Beat(t.Context(), request()); err != nil || time.Since(start) != 0 {
						t.Fatalf("%s, life %v: a heartbeat took %v: %v", name, life, time.Since(start), err)
					}
					time.Sleep(2 * time.Second)
				}
				if n, most := m.calls.Load(), m.most.Load(); n < 2 || n > 2+18*60/10 || most != 1 {
					t.Errorf("%s, life %v: %d questions, %d at once", name, life, n, most)
				}
				if n := logs.FilterMessageSnippet("cannot be renewed").Len(); n > 1 || n == 0 && name != "stuck" {
					t.Errorf("%s, life %v: it was told %d times", name, life, n)
				}
				close(free)
			})
		}
	}
}

// A request that has nothing to sign with waits for the answer to the one question, which
// goes on when the request gives up: a slow provider is slow once.
func TestSlowProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{life: time.Hour, takes: 5 * time.Second}
		c, w := banked(t, b, list)
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.ListShards(ctx)
			cancel()
			var ce *credentialsError
			if !errors.As(err, &ce) || !errors.Is(err, context.DeadlineExceeded) || !heartbeat.Retryable(err) || errors.Is(err, heartbeat.ErrUnauthorized) {
				t.Errorf("a request without credentials returned %v", err)
			}
		}
		if _, err := c.ListShards(t.Context()); err != nil || len(w.sent) != 1 || b.asked.Load() != 1 {
			t.Errorf("%v after %d requests and %d questions", err, len(w.sent), b.asked.Load())
		}
	})
}

// Refused credentials are final only where nothing can change.
func TestWhenRefusalsPass(t *testing.T) {
	given := Credentials{AccessKeyID: "id", AccessKeySecret: heartbeat.NewSecret("s")}
	fixed := func() CredentialsProvider { return Static("id", "s", "") }
	env := func() CredentialsProvider {
		t.Setenv(envKeyID, "id")
		t.Setenv(envSecret, "s")
		return FromEnv()
	}
	none := func() CredentialsProvider { return nil }
	hourly := func() CredentialsProvider { return &bank{life: time.Hour} }
	endless := func() CredentialsProvider { return &bank{} }
	same := func() CredentialsProvider {
		return providerFunc(func(context.Context) (Credentials, error) { return given, nil })
	}
	fails := func() CredentialsProvider { return &moody{mood: moods(nil)["fails"]} }
	for _, c := range []struct {
		name     string
		provider func() CredentialsProvider
		first    int // so many heartbeats succeed first
		passes   bool
	}{
		{"static", fixed, 0, false},
		{"static, later", fixed, 1, true},
		{"the environment's", env, 0, false},
		{"the environment's, later", env, 1, true},
		{"anonymous", none, 0, false},
		{"anonymous, later", none, 1, true},
		{"a provider", hourly, 0, true},
		{"a provider without an end", endless, 0, true},
		{"a provider, later", hourly, 1, true},
		{"a provider that has no other", same, 0, true},
		{"a provider that fails then", fails, 0, true},
	} {
		for _, code := range []string{"Unauthorized", "SignatureNotMatch", "SecurityTokenExpired"} {
			var beats atomic.Int64
			cfg := config(service(6, func(s sent) *http.Response {
				if s.URL.Query().Get("type") == "heartbeat" && beats.Add(1) > int64(c.first) {
					return refuse(401, code, "")
				}
				return nil
			}))
			cfg.Credentials = c.provider()
			client := newClient(t, cfg)
			for range c.first {
				if _, err := client.Beat(t.Context(), request()); err != nil {
					t.Fatal(err)
				}
			}
			_, err := client.Beat(t.Context(), request())
			if !errors.Is(err, heartbeat.ErrUnauthorized) || heartbeat.Retryable(err) != c.passes {
				t.Errorf("%s, %s: %v is retryable: %v", c.name, code, err, heartbeat.Retryable(err))
			}
		}
	}
}

// decided is a provider's error that knows that it is final.
type decided struct{}

func (decided) Error() string   { return "the role does not exist" }
func (decided) Retryable() bool { return false }

func TestProviderDecides(t *testing.T) {
	cfg := config(always(200, "[]"))
	cfg.Credentials = providerFunc(func(context.Context) (Credentials, error) { return Credentials{}, decided{} })
	if _, err := newClient(t, cfg).ListShards(t.Context()); !errors.Is(err, decided{}) || heartbeat.Retryable(err) {
		t.Errorf("it returned %v", err)
	}
}

// Close ends the question that is under way, waits for it, and refuses calls.
func TestClose(t *testing.T) {
	for name, life := range map[string]time.Duration{"nobody waits": time.Minute, "a request waits": time.Nanosecond} {
		synctest.Test(t, func(t *testing.T) {
			m := &moody{life: life, mood: moods(nil)["hangs"]}
			cfg := config(fixed(opListShards))
			cfg.Credentials = m
			c := newClient(t, cfg)
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() { _, _ = c.ListShards(t.Context()) })
				time.Sleep(50 * time.Second)
			}
			start := time.Now()
			if err := errors.Join(c.Close(), c.Close()); err != nil || time.Since(start) != 0 || m.now.Load() != 0 {
				t.Errorf("%s: Close returned %v after %v with %d questions", name, err, time.Since(start), m.now.Load())
			}
			all.Wait()
			var bad *UsageError
			for op, call := range operations(c) {
				if err := call(t.Context()); !errors.As(err, &bad) {
					t.Errorf("%s: %s after Close returned %v", name, op, err)
				}
			}
		})
	}
}

// A provider that ignores its context does not hold up Close for long.
func TestCloseWithAStuckProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		m := &moody{mood: moods(free)["stuck"]}
		cfg := config(fixed(opListShards))
		cfg.Credentials = m
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.ListShards(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(refreshPause)
		}
		start := time.Now()
		err = c.Close()
		var ce *credentialsError
		if !errors.As(err, &ce) || time.Since(start) != closeGrace {
			t.Errorf("Close returned %v after %v", err, time.Since(start))
		}
		close(free)
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Errorf("Close returned %v when the provider had returned", err)
		}
	})
}

// The calculator of the keyring.
func TestKeys(t *testing.T) {
	t0 := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		keys keys
		from time.Duration // until then the keys are usable and no request asks
		ends time.Duration // from then on they are not usable; zero: never
	}{
		{"an hour", newKeys(t0, Credentials{Expires: t0.Add(time.Hour)}), 55 * time.Minute, time.Hour},
		{"a minute", newKeys(t0, Credentials{Expires: t0.Add(time.Minute)}), 45 * time.Second, time.Minute},
		{"over", newKeys(t0, Credentials{Expires: t0.Add(-time.Second)}), -time.Second, -time.Second},
		{"no end", newKeys(t0, Credentials{}), refreshPause, 0},
		{"no end, failed", newKeys(t0, Credentials{}).failed(t0.Add(time.Hour)), time.Hour + refreshPause, 0},
		{"failed, not over", newKeys(t0, Credentials{Expires: t0.Add(time.Hour)}).failed(t0.Add(56 * time.Minute)), 56*time.Minute + refreshPause, time.Hour},
		{"failed and over", newKeys(t0, Credentials{Expires: t0.Add(time.Hour)}).failed(t0.Add(59*time.Minute + 59*time.Second)), time.Hour, time.Hour},
	} {
		for _, at := range []time.Duration{-30 * time.Minute, 0, c.from - 1, c.from, c.ends - 1, c.ends, 24 * time.Hour} {
			usable := c.ends == 0 || at < c.ends
			if got := c.keys.usable(t0.Add(at)); got != usable {
				t.Errorf("%s: usable after %v: %v", c.name, at, got)
			}
			if got := c.keys.due(t0.Add(at)); got != (at >= c.from || !usable) {
				t.Errorf("%s: due after %v: %v", c.name, at, got)
			}
		}
	}
	if none := (keys{}); none.usable(t0) || !none.due(t0) || !none.failed(t0).due(t0) {
		t.Error("no keys are usable, or nobody asks for some")
	}
}
