package sls

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

func TestAbsence(t *testing.T) {
	var a absence
	start := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {5 * time.Second, false}, {6*time.Second - 1, false}, {6 * time.Second, true}, {time.Hour, true}} {
		if got := a.lasted(start.Add(c.after), 6*time.Second); got != c.want {
			t.Errorf("after %v it is believed: %v", c.after, got)
		}
	}
}

// late is a service whose list, or whose heartbeats, know of a group late.
type late struct {
	groups
	list, beats time.Time // not before
	lost        time.Time // until then, there is no logstore
}

func (l *late) first(s sent) *http.Response {
	now := time.Now()
	switch {
	case now.Before(l.lost):
		return refuse(404, "LogStoreNotExist", "logstore my-logstore dose not exist")
	case s.Method == "GET" && now.Before(l.list):
		return reply(200, `[{"name":"other","timeout":9}]`)
	case s.URL.Query().Get("type") == "heartbeat" && now.Before(l.beats):
		return refuse(404, "ConsumerGroupNotExist", "consumer group not exist")
	}
	return l.groups.first(s)
}

// A group that the service said to exist, and a logstore, may be missing for one lease:
// lists and nodes lag behind. After that the absence is believed.
func TestServiceLagsBehindACreate(t *testing.T) {
	const long, short = time.Hour, 4 * time.Second // the lease is 6s
	for _, c := range []struct {
		name  string
		exist bool // before the client comes
		set   func(l *late, d time.Duration)
		final string // what the error says that is believed
	}{
		{"exists, not listed", true, func(l *late, d time.Duration) { l.list = time.Now().Add(d) }, "not listed"},
		{"made, not known to heartbeats", false, func(l *late, d time.Duration) { l.beats = time.Now().Add(d) }, "ConsumerGroupNotExist"},
		{"exists, known to neither", true, func(l *late, d time.Duration) { l.list = time.Now().Add(d); l.beats = l.list }, "not listed"},
		{"no logstore", true, func(l *late, d time.Duration) { l.lost = time.Now().Add(d) }, "LogStoreNotExist"},
	} {
		for _, d := range []time.Duration{short, long} {
			synctest.Test(t, func(t *testing.T) {
				l := &late{}
				if c.exist {
					l.timeout = 6
				}
				c.set(l, d)
				cl := newClient(t, config(service(6, l.first)))
				start := time.Now()
				_, err := cl.Beat(t.Context(), request())
				for err != nil && heartbeat.Retryable(err) {
					if errors.Is(err, heartbeat.ErrGroupNotFound) || errors.Is(err, heartbeat.ErrUnauthorized) {
						t.Errorf("%s: the error %v is retried, and says that all is lost", c.name, err)
					}
					time.Sleep(time.Second)
					_, err = cl.Beat(t.Context(), request())
				}
				took := time.Since(start)
				if d == short && (err != nil || took > d+time.Second) {
					t.Errorf("%s for %v: after %v the heartbeat returned %v", c.name, d, took, err)
				}
				if d == long && (err == nil || !strings.Contains(err.Error(), c.final) || took != 6*time.Second) {
					t.Errorf("%s for %v: after %v the heartbeat returned %v, want a final error after the lease", c.name, d, took, err)
				}
			})
		}
	}
}

// A list that lags behind an eviction is asked again; each new lag has its own lease.
func TestNotListedAfterAnEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &late{}
		l.timeout = 6
		evict := false
		c := newClient(t, config(service(6, func(s sent) *http.Response {
			if s.Method == "POST" && evict {
				return refuse(400, "NotExistConsumerWithBody", "")
			}
			return l.first(s)
		})))
		beat := func() error { _, err := c.Beat(t.Context(), request()); return err }
		if err := beat(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			evict = true
			if err := beat(); !errors.Is(err, heartbeat.ErrEvicted) {
				t.Fatalf("the heartbeat returned %v", err)
			}
			evict, l.list = false, time.Now().Add(4*time.Second)
			for range 2 {
				if err := beat(); err == nil || errors.Is(err, heartbeat.ErrGroupNotFound) || !heartbeat.Retryable(err) {
					t.Errorf("while the group is not listed the heartbeat returned %v", err)
				}
				time.Sleep(2 * time.Second)
			}
			if err := beat(); err != nil {
				t.Errorf("when it is listed again the heartbeat returned %v", err)
			}
		}
		evict, l.list = true, time.Now().Add(time.Hour)
		_ = beat()
		evict = false
		_ = beat()
		time.Sleep(6 * time.Second)
		if err := beat(); !errors.Is(err, heartbeat.ErrGroupNotFound) || heartbeat.Retryable(err) {
			t.Errorf("after a lease the heartbeat returned %v", err)
		}
	})
}

// A deleted group does not exist at once, for a member that was in it. Neither does a group that never
// existed, for a client that must not create it.
func TestDeletedGroupIsNoLag(t *testing.T) {
	g := &groups{timeout: 6}
	c := newClient(t, config(service(6, g.first)))
	if _, err := c.Beat(t.Context(), request()); err != nil {
		t.Fatal(err)
	}
	g.set(0)
	for range 2 {
		if _, err := c.Beat(t.Context(), request(1)); !errors.Is(err, heartbeat.ErrGroupNotFound) || heartbeat.Retryable(err) {
			t.Errorf("the heartbeat returned %v", err)
		}
	}
}

// Faults in other programs' groups do not matter, at the first reading and later. A fault in the
// client's own group is an error.
func TestOddGroups(t *testing.T) {
	const own = `{"name":"my-group","timeout":6,"order":true}`
	for _, body := range []string{
		`[{"name":"","timeout":6},` + own + `]`, `[{"timeout":6},` + own + `]`, `[` + own + `,{"name":"g","timeout":-1}]`,
		`[{"name":"g","timeout":5.5},` + own + `]`, `[{"name":"g"},` + own + `]`, `[{"name":7,"timeout":6},` + own + `]`,
		`[{"name":"g","timeout":"6"},` + own + `]`, `[null,{},[],3,"x",` + own + `]`, `[{"name":"g","timeout":1e300,"order":"yes"},` + own + `]`,
		`[{"name":"my-group","timeout":6.0,"order":true,"new":{}}]`, `[{"name":"my-group","timeout":6.9,"order":true}]`,
	} {
		synctest.Test(t, func(t *testing.T) {
			list := `[` + own + `]`
			c := newClient(t, config(service(6, func(s sent) *http.Response {
				if s.Method == "GET" {
					return reply(200, list)
				}
				return nil
			})))
			fresh := newClient(t, config(always(200, body)))
			if err := fresh.Create(t.Context()); err != nil {
				t.Errorf("%s: the first reading returned %v", body, err)
			}
			if got, ok := fresh.lastGroup(); !ok || got != (Group{Name: "my-group", Timeout: 6 * time.Second, Ordered: true}) {
				t.Errorf("%s: the group is %v", body, got)
			}
			if _, err := c.Beat(t.Context(), request()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(rereadEvery)
			list = strings.ReplaceAll(body, `"timeout":6`, `"timeout":8`)
			for range 2 {
				if _, err := c.Beat(t.Context(), request()); err != nil {
					t.Error(err)
				}
				synctest.Wait()
			}
			if got, _ := c.lastGroup(); got.Timeout != 8*time.Second {
				t.Errorf("%s: the group was not read again: %v", list, got)
			}
		})
	}
	for _, body := range []string{
		`[{"name":"my-group"}]`, `[{"name":"my-group","timeout":0}]`, `[{"name":"my-group","timeout":0.9}]`, `[{"name":"my-group","timeout":-6}]`,
		`[{"name":"my-group","timeout":"6"}]`, `[{"name":"my-group","timeout":null}]`, `[{"name":"my-group","timeout":6,"order":"yes"}]`,
	} {
		err := newClient(t, config(always(200, body))).Create(context.Background())
		var bad *ResponseError
		if !errors.As(err, &bad) || bad.RequestID == "" || !heartbeat.Retryable(err) {
			t.Errorf("%s returned %v, want a *ResponseError", body, err)
		}
	}
}
