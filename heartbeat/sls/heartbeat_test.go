package sls

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

const (
	listLine = "GET " + listPath
	beatLine = "POST " + groupURL + "?consumer=c1&type=heartbeat "
)

func TestBeat(t *testing.T) {
	w := service(20, func(s sent) *http.Response {
		if string(s.body) == "[4,0]" {
			return reply(200, " [ 0, 7 ]\n")
		}
		return nil
	})
	c := newClient(t, config(w))
	a, err := c.Beat(t.Context(), request())
	if err != nil || a.Grants != nil || a.TTL != 20*time.Second || a.Generation != 0 || a.Complete {
		t.Errorf("the first answer is %+v (%v)", a, err)
	}
	a, err = c.Beat(t.Context(), request(4, 0))
	if err != nil || !slices.Equal(a.Grants, ids(0, 7)) || a.TTL != 20*time.Second {
		t.Errorf("the second answer is %+v (%v)", a, err)
	}
	expectLines(t, w, listLine, beatLine+"[]", beatLine+"[4,0]")
}

// A shard of another log is a mistake of the caller, and is not sent.
func TestForeignShards(t *testing.T) {
	w := service(6, nil)
	c := newClient(t, config(w))
	r := request()
	for _, id := range []shardset.ID{{Log: "other", Number: 1}, {Number: 1}} {
		r.Held = []shardset.Grant{{ID: id}}
		o := owner(1)
		o.Lease.ID = id
		_, beat := c.Beat(t.Context(), r)
		_, _, load := c.Load(t.Context(), o)
		for what, err := range map[string]error{"Beat": beat, "Load": load, "Save": c.Save(t.Context(), o, "x")} {
			var bad *UsageError
			if !errors.As(err, &bad) || heartbeat.Retryable(err) {
				t.Errorf("%s with shard %v returned %v", what, id, err)
			}
		}
	}
	for _, member := range []string{"", "a\nb", "\xff"} {
		if _, err := c.heartbeat(t.Context(), member, nil); err == nil {
			t.Errorf("the member name %q is taken", member)
		}
	}
	for _, n := range []int{-1, maxShard + 1} {
		if _, err := c.heartbeat(t.Context(), "m", []int{n}); err == nil {
			t.Errorf("the shard number %d is taken", n)
		}
	}
	expectLines(t, w)
}

// What cannot be read is an error, and never the empty answer.
func TestBeatAnswersThatMakeNoSense(t *testing.T) {
	for _, body := range []string{
		"", "null", "[null]", "{}", `{"shards":[0]}`, `["0"]`, "[0", "[0]]", "[0] x", "[-1]", "[1.5]", "[2147483648]", "[99999999999999999999]",
		"0", "[0,]", "[[0]]", "[true]",
	} {
		w := service(6, func(s sent) *http.Response {
			if s.Method == "POST" {
				return reply(200, body)
			}
			return nil
		})
		a, err := newClient(t, config(w)).Beat(t.Context(), request())
		var bad *ResponseError
		if !errors.As(err, &bad) || !heartbeat.Retryable(err) {
			t.Errorf("the answer %q is %+v (%v), want a *ResponseError", body, a, err)
		}
	}
}

// A heartbeat is sent once, whatever happens; its errors say what to do next.
func TestBeatIsNotRepeated(t *testing.T) {
	for _, c := range []struct {
		resp  func() *http.Response
		match error
	}{
		{func() *http.Response { return refuse(400, "NotExistConsumerWithBody", "") }, heartbeat.ErrEvicted},
		{func() *http.Response { return refuse(404, "ConsumerGroupNotExist", "") }, heartbeat.ErrGroupNotFound},
		{func() *http.Response { return refuse(401, "Unauthorized", "") }, heartbeat.ErrUnauthorized},
		{func() *http.Response { return refuse(500, "InternalServerError", "") }, nil},
		{func() *http.Response { return nil }, nil},
	} {
		w := service(6, nil)
		plain := w.answer
		var beats atomic.Int64
		w.answer = func(s sent) (*http.Response, error) {
			if s.Method != "POST" {
				return plain(s)
			}
			beats.Add(1)
			if r := c.resp(); r != nil {
				return r, nil
			}
			return nil, errors.New("connection reset")
		}
		_, err := newClient(t, config(w)).Beat(t.Context(), request(1))
		if err == nil || c.match != nil && !errors.Is(err, c.match) || beats.Load() != 1 {
			t.Errorf("%d heartbeats and %v, want one and %v", beats.Load(), err, c.match)
		}
	}
}

// Beat honours its context wherever it waits.
func TestBeatThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, method := range []string{"GET", "POST"} {
			w := service(6, nil)
			plain := w.answer
			w.answer = func(s sent) (*http.Response, error) {
				if s.Method == method {
					<-s.Context().Done()
					return nil, s.Context().Err()
				}
				return plain(s)
			}
			c := newClient(t, config(w))
			var all sync.WaitGroup
			for range 3 { // two of them wait for the first one's reading
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					start := time.Now()
					if _, err := c.Beat(ctx, request()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
						t.Errorf("after %v a heartbeat whose %s hangs returned %v", time.Since(start), method, err)
					}
				})
			}
			all.Wait()
		}
	})
}
