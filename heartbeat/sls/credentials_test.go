package sls

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// bank gives numbered credentials.
type bank struct {
	life  time.Duration // zero: unknown
	takes time.Duration
	asked atomic.Int64
	fail  atomic.Bool
}

func (b *bank) Credentials(ctx context.Context) (Credentials, error) {
	n := b.asked.Add(1)
	select {
	case <-time.After(b.takes):
	case <-ctx.Done():
		return Credentials{}, ctx.Err()
	}
	if b.fail.Load() {
		return Credentials{}, errors.New("the bank is closed")
	}
	c := Credentials{AccessKeyID: fmt.Sprint("id", n), AccessKeySecret: heartbeat.NewSecret("s"), SecurityToken: heartbeat.NewSecret(fmt.Sprint("t", n))}
	if b.life > 0 {
		c.Expires = time.Now().Add(b.life)
	}
	return c, nil
}

// signer returns whose credentials a request was signed with.
func signer(s sent) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(s.Header.Get(headerAuthorization), "LOG "), ":")
	return id
}

func banked(t *testing.T, b *bank, answer func(sent) (*http.Response, error)) (*Client, *wire) {
	w := &wire{answer: answer}
	cfg := config(w)
	cfg.Credentials = b
	return newClient(t, cfg), w
}

func list(s sent) (*http.Response, error) { return answers[opListShards](), nil }

// Credentials without a known end are used until the service refuses them, and asked for
// anew now and then, beside the requests.
func TestCredentialsWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{takes: time.Second}
		c, w := banked(t, b, list)
		start := time.Now()
		signedBy := func(want string) {
			t.Helper()
			w.reset()
			if _, err := c.ListShards(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := signer(w.sent[0]); got != want {
				t.Errorf("after %v a request was signed by %q, want %q", time.Since(start), got, want)
			}
		}
		signedBy("id1")
		time.Sleep(refreshPause)
		signedBy("id1") // and asks
		time.Sleep(2 * time.Second)
		signedBy("id2")
		time.Sleep(time.Hour) // no request needs any
		signedBy("id2")
		time.Sleep(2 * time.Second)
		signedBy("id3")
		b.fail.Store(true)
		time.Sleep(24 * time.Hour)
		signedBy("id3")
		synctest.Wait()
		if n := b.asked.Load(); n != 4 {
			t.Errorf("the provider was asked %d times, want 4", n)
		}
	})
}

// Credentials that say when they end are kept until shortly before. Many requests at
// once make one question, and none waits for it while the old ones are good.
func TestCredentialsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{life: time.Hour, takes: time.Second}
		c, _ := banked(t, b, list)
		many := func() (slowest time.Duration) {
			var all sync.WaitGroup
			var mu sync.Mutex
			for range 20 {
				all.Go(func() {
					start := time.Now()
					if _, err := c.ListShards(t.Context()); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					slowest = max(slowest, time.Since(start))
				})
			}
			all.Wait()
			return slowest
		}
		start := time.Now()
		expect := func(asked int64) {
			t.Helper()
			synctest.Wait() // questions are asked beside the requests
			if got := b.asked.Load(); got != asked {
				t.Errorf("after %v the provider was asked %d times, want %d", time.Since(start), got, asked)
			}
		}
		// Those that come while the first is asked are answered by it or by a second.
		many()
		if n := b.asked.Load(); n > 2 {
			t.Errorf("20 requests at once asked %d times", n)
		}
		b.asked.Store(0)
		time.Sleep(54 * time.Minute)
		many()
		expect(0)
		time.Sleep(2 * time.Minute)
		if slowest := many(); slowest != 0 {
			t.Errorf("a request waited for %v, although the old credentials are good", slowest)
		}
		expect(1)
		time.Sleep(2 * time.Second)
		b.fail.Store(true)
		time.Sleep(57 * time.Minute)
		many()
		expect(2)
		time.Sleep(2 * time.Second) // it fails, and the old ones are good
		many()
		expect(2)
		time.Sleep(refreshPause)
		many()
		expect(3)
		time.Sleep(5 * time.Minute)
		if _, err := c.ListShards(t.Context()); err == nil || !heartbeat.Retryable(err) {
			t.Errorf("with credentials that have ended it returned %v", err)
		}
		b.fail.Store(false)
		if _, err := c.ListShards(t.Context()); err != nil {
			t.Errorf("with new credentials it returned %v", err)
		}
	})
}

// While one request renews credentials that are still good, no other waits.
func TestRenewalDelaysNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{life: time.Hour}
		c, _ := banked(t, b, list)
		if _, err := c.ListShards(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(56 * time.Minute)
		b.takes = 10 * time.Second
		go func() { _, _ = c.ListShards(t.Context()) }()
		synctest.Wait()
		start := time.Now()
		if _, err := c.ListShards(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("a request during the renewal took %v (%v)", time.Since(start), err)
		}
	})
}

// A request whose credentials are refused is repeated once with new ones.
func TestRefusedCredentials(t *testing.T) {
	for _, code := range []string{"Unauthorized", "SignatureNotMatch", "InvalidAccessKeyId", "SecurityTokenExpired", "SecurityToken.Expired"} {
		b := &bank{life: time.Hour}
		c, w := banked(t, b, func(s sent) (*http.Response, error) {
			if s.Header.Get(headerSecurityToken) == "t1" {
				return refuse(401, code, ""), nil
			}
			return reply(200, "[3]"), nil
		})
		got, err := c.heartbeat(t.Context(), "c1", []int{3})
		if err != nil || len(got) != 1 || len(w.sent) != 2 || signer(w.sent[1]) != "id2" || string(w.sent[1].body) != "[3]" {
			t.Errorf("%s: it returned %v, %v after %q", code, got, err, w.lines())
		}
	}
}

// If the new ones are refused too, that is the end; and nothing is repeated that
// others could not mend.
func TestRefusedForGood(t *testing.T) {
	for _, c := range []struct {
		name     string
		provider CredentialsProvider
		status   int
		requests int
	}{
		{"new ones", &bank{life: time.Hour}, 401, 2},
		{"new ones each time", &bank{}, 401, 2},
		{"static", Static("id", "s", "t"), 401, 1},
		{"not about credentials", &bank{}, 400, 1},
		{"a server that fails", &bank{}, 500, 1},
	} {
		w := always(c.status, `{"errorCode":"Anything"}`)
		cfg := config(w)
		cfg.Credentials = c.provider
		_, err := newClient(t, cfg).ListShards(t.Context())
		if got := errors.Is(err, heartbeat.ErrUnauthorized); got != (c.status == 401) || len(w.sent) != c.requests {
			t.Errorf("%s: %d requests and %v, want %d requests", c.name, len(w.sent), err, c.requests)
		}
	}
}

// Many requests that are refused at once ask once.
func TestRefusedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{life: time.Hour, takes: time.Second}
		c, _ := banked(t, b, func(s sent) (*http.Response, error) {
			time.Sleep(time.Second)
			if n := s.Header.Get(headerSecurityToken); n == "t1" || n == "t2" {
				return refuse(401, "SecurityTokenExpired", ""), nil
			}
			return list(s)
		})
		_, _ = c.ListShards(t.Context()) // has the first, and is refused the second
		if n := b.asked.Load(); n != 2 {
			t.Fatalf("the provider was asked %d times, want 2", n)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := c.ListShards(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := b.asked.Load(); n > 4 {
			t.Errorf("20 requests that were refused made %d questions", n-2)
		}
	})
}

// A request that is refused after another one has renewed the credentials takes those.
func TestRefusedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{life: time.Hour}
		c, _ := banked(t, b, func(s sent) (*http.Response, error) {
			if s.URL.Query().Get("type") == "heartbeat" {
				time.Sleep(time.Second)
			}
			if s.Header.Get(headerSecurityToken) == "t1" {
				return refuse(401, "SecurityTokenExpired", ""), nil
			}
			return reply(200, "[]"), nil
		})
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.heartbeat(t.Context(), "c1", nil); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if _, err := c.ListShards(t.Context()); err != nil {
			t.Error(err)
		}
		all.Wait()
		if n := b.asked.Load(); n != 2 {
			t.Errorf("the provider was asked %d times, want 2", n)
		}
	})
}

// A provider that hangs costs each request its own time only.
func TestProviderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bank{takes: time.Hour}
		c, w := banked(t, b, list)
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				limit := time.Duration(i+1) * time.Second
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				start := time.Now()
				_, err := c.ListShards(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != limit {
					t.Errorf("it returned %v after %v, want it after %v", err, time.Since(start), limit)
				}
			})
		}
		all.Wait()
		expectLines(t, w)
	})
}

// What cannot be sent is not tried. The provider may have better ones later.
func TestBadCredentialsOfAProvider(t *testing.T) {
	for _, c := range []Credentials{
		{AccessKeyID: "id", AccessKeySecret: heartbeat.NewSecret("s\n")}, {AccessKeyID: "i/d", AccessKeySecret: heartbeat.NewSecret("s")},
		{}, {AccessKeyID: "id"}, {AccessKeyID: "i d", AccessKeySecret: heartbeat.NewSecret("s")},
		{AccessKeyID: "id", AccessKeySecret: heartbeat.NewSecret("s"), SecurityToken: heartbeat.NewSecret("a\r\nX-Evil: b")},
	} {
		w := always(200, "[]")
		cfg := config(w)
		cfg.Credentials = providerFunc(func(context.Context) (Credentials, error) { return c, nil })
		_, err := newClient(t, cfg).ListShards(t.Context())
		var ce *credentialsError
		if !errors.As(err, &ce) || !errors.Is(err, heartbeat.ErrUnauthorized) || !heartbeat.Retryable(err) || len(w.sent) != 0 {
			t.Errorf("it returned %v after %d requests", err, len(w.sent))
		}
	}
}

func TestFromEnv(t *testing.T) {
	t.Setenv(envKeyID, "")
	t.Setenv(envSecret, "s")
	t.Setenv(envToken, "")
	cfg := config(always(200, ""))
	cfg.Credentials = FromEnv()
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), envKeyID) {
		t.Errorf("New without a key in the environment returned %v", err)
	}
	t.Setenv(envKeyID, "id")
	w := fixed(opListShards)
	cfg.Transport = w
	c := newClient(t, cfg)
	t.Setenv(envToken, "later")
	if _, err := c.ListShards(t.Context()); err != nil {
		t.Fatal(err)
	}
	if signer(w.sent[0]) != "id" || w.sent[0].Header.Get(headerSecurityToken) != "later" {
		t.Errorf("it was signed with %v", w.sent[0].Header)
	}
}
