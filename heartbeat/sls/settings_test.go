package sls

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// groups is a service whose groups can be looked at and changed.
type groups struct {
	mu      sync.Mutex
	timeout int // zero: there is no group
	ordered bool
	fail    bool
}

func (g *groups) first(s sent) *http.Response {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case s.Method == "GET" && s.URL.Path == listPath && g.fail:
		return refuse(503, "ServerBusy", "")
	case s.Method == "GET" && s.URL.Path == listPath && g.timeout == 0:
		return reply(200, "[]")
	case s.Method == "GET" && s.URL.Path == listPath:
		return reply(200, fmt.Sprintf(`[{"name":"my-group","timeout":%d,"order":%v}]`, g.timeout, g.ordered))
	case s.Method == "POST" && s.URL.Path == listPath:
		if g.timeout != 0 {
			return refuse(400, "ConsumerGroupAlreadyExist", "")
		}
		g.timeout = 6
	case s.Method == "PUT":
		g.timeout, g.ordered = 6, true
	case g.timeout == 0:
		return refuse(404, "ConsumerGroupNotExist", "")
	}
	return nil
}

func (g *groups) set(timeout int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timeout = timeout
}

const createLine = "POST " + listPath + ` {"consumerGroup":"my-group","timeout":6,"order":false}`

// The first heartbeat creates the group. When it is deleted later, that is an error
// until Create makes it anew: a member must hear of it.
func TestGroupIsCreated(t *testing.T) {
	g := &groups{}
	w := service(6, g.first)
	c := newClient(t, config(w))
	a, err := c.Beat(t.Context(), request())
	if err != nil || a.TTL != 6*time.Second {
		t.Errorf("the first heartbeat returned %+v, %v", a, err)
	}
	expectLines(t, w, listLine, createLine, listLine, beatLine+"[]")

	g.set(0)
	w.reset()
	for range 2 {
		if _, err := c.Beat(t.Context(), request(1)); !errors.Is(err, heartbeat.ErrGroupNotFound) {
			t.Errorf("a heartbeat to a deleted group returned %v", err)
		}
	}
	expectLines(t, w, beatLine+"[1]", listLine)
	w.reset()
	if err := c.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.set(9) // somebody changes it in between
	if a, err = c.Beat(t.Context(), request()); err != nil || a.TTL != 6*time.Second {
		t.Errorf("after Create a heartbeat returned %+v, %v", a, err)
	}
	expectLines(t, w, listLine, createLine, listLine, beatLine+"[]")
}

func TestMustExist(t *testing.T) {
	g := &groups{}
	w := service(6, g.first)
	cfg := config(w)
	cfg.MustExist = true
	c := newClient(t, cfg)
	if _, err := c.Beat(t.Context(), request()); !errors.Is(err, heartbeat.ErrGroupNotFound) || heartbeat.Retryable(err) {
		t.Errorf("a heartbeat to no group returned %v", err)
	}
	expectLines(t, w, listLine)
	if err := c.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Beat(t.Context(), request()); err != nil {
		t.Error(err)
	}
}

// Two processes start at once: the one that comes second takes the other's group.
func TestGroupIsCreatedByAnother(t *testing.T) {
	g := &groups{}
	lists := 0
	w := service(6, func(s sent) *http.Response {
		if s.Method == "GET" {
			if lists++; lists == 1 {
				r := g.first(s)
				g.set(33)
				return r
			}
		}
		return g.first(s)
	})
	a, err := newClient(t, config(w)).Beat(t.Context(), request())
	if err != nil || a.TTL != 33*time.Second {
		t.Errorf("the heartbeat returned %+v, %v", a, err)
	}
}

// Many members at once ask for the settings once.
func TestFirstBeatsTogether(t *testing.T) {
	g := &groups{}
	w := service(6, g.first)
	c := newClient(t, config(w))
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r := request()
			r.Member = fmt.Sprint("m", i)
			if _, err := c.Beat(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(w.lines()); n != 23 {
		t.Errorf("20 first heartbeats sent %d requests, want 23", n)
	}
}

// A group that differs is taken as it is, and said once.
func TestDifferentGroupIsReported(t *testing.T) {
	g := &groups{timeout: 20, ordered: true}
	w := service(6, g.first)
	cfg := config(w)
	core, logs := observer.New(zap.InfoLevel)
	cfg.Logger = zap.New(core)
	c := newClient(t, cfg)
	if got, ok := c.Group(); ok {
		t.Errorf("before the first heartbeat the group is %v", got)
	}
	for range 3 {
		if a, err := c.Beat(t.Context(), request()); err != nil || a.TTL != 20*time.Second {
			t.Errorf("the heartbeat returned %+v, %v", a, err)
		}
	}
	if err := c.Create(t.Context()); err != nil {
		t.Error(err)
	}
	if got, ok := c.Group(); !ok || got != (Group{Name: "my-group", Timeout: 20 * time.Second, Ordered: true}) {
		t.Errorf("the group is %v (%v)", got, ok)
	}
	if logs.Len() != 1 {
		t.Errorf("it logged %d times, want once: %v", logs.Len(), logs.All())
	}
	for _, line := range w.lines() {
		if line[:3] == "PUT" {
			t.Errorf("it sent %s", line)
		}
	}
}

// UpdateGroup changes it, once; not again if somebody else changes it back.
func TestDifferentGroupIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{timeout: 20}
		w := service(6, g.first)
		cfg := config(w)
		cfg.Ordered, cfg.UpdateGroup = true, true
		c := newClient(t, cfg)
		if a, err := c.Beat(t.Context(), request()); err != nil || a.TTL != 6*time.Second {
			t.Errorf("the heartbeat returned %+v, %v", a, err)
		}
		expectLines(t, w, listLine, "PUT "+groupURL+` {"order":true,"timeout":6}`, listLine, beatLine+"[]")
		g.set(33)
		time.Sleep(rereadEvery)
		w.reset()
		if a, err := c.Beat(t.Context(), request()); err != nil || a.TTL != 33*time.Second {
			t.Errorf("the heartbeat returned %+v, %v", a, err)
		}
		if err := c.Create(t.Context()); err != nil {
			t.Error(err)
		}
		expectLines(t, w, beatLine+"[]", listLine, listLine)
	})
}

// The timeout is read again twice a minute, after a heartbeat and not before; and at
// once after an eviction, which may come of a shorter one.
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
			expectLines(t, w, lines...)
		}
		beat(20*time.Second, listLine, beatLine+"[]")
		g.set(10)
		time.Sleep(rereadEvery - time.Nanosecond)
		beat(20*time.Second, beatLine+"[]")
		time.Sleep(time.Nanosecond)
		beat(10*time.Second, beatLine+"[]", listLine)
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
		beat(7*time.Second, beatLine+"[]", listLine)
	})
}

// A reading that hangs leaves the answer to the heartbeat in time.
func TestReadingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		w := service(20, nil)
		plain := w.answer
		w.answer = func(s sent) (*http.Response, error) {
			if s.Method == "GET" && hang.Load() {
				<-s.Context().Done()
				return nil, s.Context().Err()
			}
			return plain(s)
		}
		c := newClient(t, config(w))
		if _, err := c.Beat(t.Context(), request()); err != nil {
			t.Fatal(err)
		}
		hang.Store(true)
		time.Sleep(rereadEvery)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		a, err := c.Beat(ctx, request())
		if err != nil || a.TTL != 20*time.Second || time.Since(start) != time.Second/2 {
			t.Errorf("after %v the heartbeat returned %+v, %v", time.Since(start), a, err)
		}
	})
}

func TestGroupOperations(t *testing.T) {
	w := always(200, `[{"name":"a","timeout":1,"order":false},{"name":"b","timeout":999999999,"order":true}]`)
	c := newClient(t, config(w))
	got, err := c.ListGroups(t.Context())
	want := []Group{{Name: "a", Timeout: time.Second}, {Name: "b", Timeout: maxTimeout, Ordered: true}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the groups are %v (%v), want %v", got, err, want)
	}
	w.reset()
	for _, g := range []Group{
		{}, {Name: "a/b", Timeout: time.Second}, {Name: "a"}, {Name: "a", Timeout: 1500 * time.Millisecond}, {Name: "a", Timeout: 25 * time.Hour},
	} {
		if c.CreateGroup(t.Context(), g) == nil || c.UpdateGroup(t.Context(), g) == nil {
			t.Errorf("%v is sent", g)
		}
	}
	if c.DeleteGroup(t.Context(), "") == nil || c.DeleteGroup(t.Context(), "..") == nil {
		t.Error("a bad name is sent")
	}
	expectLines(t, w)
}
