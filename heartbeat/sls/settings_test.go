package sls

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
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
	expectLines(t, w, listLine, createLine, beatLine+"[]")

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
	expectLines(t, w, listLine, createLine, beatLine+"[]")
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
	if n := len(w.lines()); n != 22 {
		t.Errorf("20 first heartbeats sent %d requests, want 22", n)
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
	if got, ok := c.lastGroup(); ok {
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
	if got, ok := c.lastGroup(); !ok || got != (Group{Name: "my-group", Timeout: 20 * time.Second, Ordered: true}) {
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
		expectLines(t, w, listLine, "PUT "+groupURL+` {"order":true,"timeout":6}`, beatLine+"[]")
		g.set(33)
		time.Sleep(rereadEvery)
		w.reset()
		for range 2 {
			if _, err := c.Beat(t.Context(), request()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		if got, _ := c.lastGroup(); got.Timeout != 33*time.Second {
			t.Errorf("the group is %v", got)
		}
		if err := c.Create(t.Context()); err != nil {
			t.Error(err)
		}
		expectLines(t, w, beatLine+"[]", listLine, beatLine+"[]", listLine)
	})
}

// The first worker of a logstore makes its group, whatever other entries there are.
func TestFirstGroupBesideOddOnes(t *testing.T) {
	for _, odd := range []string{`{"name":7,"timeout":6}`, `{}`, `{"name":"other","timeout":"x","order":[]}`} {
		w := service(6, func(s sent) *http.Response {
			if s.Method == http.MethodGet {
				return reply(200, "["+odd+"]")
			}
			return nil
		})
		if a, err := newClient(t, config(w)).Beat(t.Context(), request()); err != nil || a.TTL != 6*time.Second {
			t.Errorf("beside %s: %+v, %v", odd, a, err)
		}
	}
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
		if c.createGroup(t.Context(), g) == nil || c.UpdateGroup(t.Context(), g) == nil {
			t.Errorf("%v is sent", g)
		}
	}
	if c.DeleteGroup(t.Context(), "") == nil || c.DeleteGroup(t.Context(), "..") == nil {
		t.Error("a bad name is sent")
	}
	expectLines(t, w)
}
