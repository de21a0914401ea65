package slslog_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
	"github.com/rollcall-go/rollcall/shardset"
)

// D05 elsewhere: a factory that failed, or a commit that failed while a shard was idle, ended the reading.
// The heartbeats went on, so the shards stayed held.
func TestD05NoWorkEndsAlone(t *testing.T) {
	peersTest(t, 4, func(t *testing.T, p *peers) {
		p.fault(slsserver.Fault{Op: "ConsumerGroupUpdateCheckPoint", Times: 12, Status: 500, Code: "InternalServerError"})
		var mu sync.Mutex
		calls := map[int]int{}
		p.work("a", func(s *peerSetup) {
			s.factory = func(next processor.Factory) processor.Factory {
				return func(ctx context.Context, l shardset.Lease) (processor.Processor, error) {
					mu.Lock()
					calls[l.ID.Number]++
					n := calls[l.ID.Number]
					mu.Unlock()
					switch {
					case l.ID.Number == 0 && n <= 3:
						panic("the factory is broken")
					case l.ID.Number == 1 && n <= 3:
						return nil, errSink
					}
					return next(ctx, l)
				}
			}
		})
		for shard := range 4 {
			p.add(shard, 3, "")
		}
		p.done(30 * time.Second)
		if calls[0] != 4 || calls[1] != 4 || calls[2] != 1 {
			t.Errorf("the factory was called %v times", calls)
		}
	})
}

// D10 elsewhere: after one failed request for a cursor, a shard was read with an empty cursor for ever.
func TestD10CursorIsAskedForAgain(t *testing.T) {
	for _, at := range []batch.Initial{batch.Earliest(), batch.At(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))} {
		for _, f := range []slsserver.Fault{slsserver.Fault{Code: "ServerBusy"}, slsserver.Fault{Code: "InternalServerError"}, {Status: 403, Code: "ReadQuotaExceed"}, {CutBefore: true}, {Cut: true}} {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				f.Op, f.Times = "GetCursor", 5
				p.fault(f)
				p.add(0, 3, "")
				p.add(1, 3, "")
				p.work("a", func(s *peerSetup) { s.batch.Initial = at })
				p.done(time.Minute)
				for _, c := range p.made("a", "logs") {
					if c.cursor == "" {
						t.Error("a page was asked for without a cursor")
					}
				}
				if n := len(p.made("a", "cursor")); n != 7 {
					t.Errorf("%d cursors were asked for, 5 of them in vain; want 7", n)
				}
			})
		}
	}
}

// D23 elsewhere: goroutines shared data without a lock. Here the race detector watches while everything
// happens at once.
func TestD23NoRaces(t *testing.T) {
	peersTest(t, 8, func(t *testing.T, p *peers) {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} {
			w := p.work(name, nil)
			all.Go(func() {
				for ctx.Err() == nil {
					s := w.Status()
					for i := range s.Shards {
						_ = s.Shards[i].LastError
					}
					time.Sleep(7 * time.Millisecond)
				}
			})
		}
		p.fault(slsserver.Fault{Op: "ConsumerGroupHeartBeat", Skip: 5, Times: 3, Status: 500, Code: "InternalServerError"})
		p.stream(3*time.Second, 50*time.Millisecond, "")
		p.check(p.srv.Evict("p", "log", "g", "b"))
		p.workers[2].stop()
		p.stream(3*time.Second, 50*time.Millisecond, "")
		p.done(2 * peerTimeout)
		cancel()
		all.Wait()
	})
}

// D24 elsewhere: a worker that was started twice had two loops. A name that the service refuses, or a group
// that could not be created, led to errors for ever.
func TestD24StartAndConfig(t *testing.T) {
	peersTest(t, 2, func(t *testing.T, p *peers) {
		a := p.work("a", nil)
		p.await(time.Second, "a has both shards", shares(2)(a))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Run(ctx); !errors.Is(err, coordinator.ErrRunTwice) {
			t.Errorf("a second Run returned %v", err)
		}
		time.Sleep(20 * time.Second)
		if n := len(p.made("a", "heartbeat")); n > 40 { // twenty of them fast, while it joins
			t.Errorf("%d heartbeats in 20s", n)
		}
		a.end()
		if err := a.Run(ctx); !errors.Is(err, coordinator.ErrRunTwice) {
			t.Errorf("a Run after the end returned %v", err)
		}
		var bad *shardset.ConfigError
		if _, err := sls.New(sls.Config{Endpoint: "http://127.0.0.1", Project: "p", Logstore: "log", Group: "no group/"}); !errors.As(err, &bad) {
			t.Errorf("a bad name of a group: %v", err)
		}
		for name, change := range map[string]func(*sls.Config){
			"logstore": func(c *sls.Config) { c.Logstore = "other" },
			"project":  func(c *sls.Config) { c.Project = "other" },
			"group":    func(c *sls.Config) { c.Group = "other" },
		} {
			w := p.work("w", func(s *peerSetup) { s.client = change })
			select {
			case <-w.done:
			case <-time.After(time.Minute):
				t.Fatalf("Run goes on without a %s", name)
			}
			var e *sls.Error
			if !errors.As(w.err, &e) && !errors.Is(w.err, heartbeat.ErrGroupNotFound) {
				t.Errorf("Run without a %s returned %v", name, w.err)
			}
		}
	})
}

// D27 elsewhere: there was no pause after an unexpected kind of error, so 160,000 heartbeats were sent in a
// second.
func TestD27EveryErrorIsPaced(t *testing.T) {
	say := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Content-Type": {"application/json"}}
			if body != "" && body[0] != '<' { // it is the service that says this
				h.Set("X-Log-Requestid", "5B0A6B60BB6EE39764D458B5")
			}
			return &http.Response{
				StatusCode: status, Header: h,
				Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
			}, nil
		}
	}
	for name, fault := range map[string]func(*http.Request) (*http.Response, error){
		"refused":         func(*http.Request) (*http.Response, error) { return nil, errRefused },
		"end of file":     func(*http.Request) (*http.Response, error) { return nil, io.EOF },
		"a page":          say(200, "<html>"),
		"nothing":         say(200, ""),
		"an object":       say(200, `{"shards":[0]}`),
		"negative shards": say(200, "[-1]"),
		"no content":      say(204, ""),
		"a redirect":      say(302, ""),
		"busy":            say(503, `{"errorCode":"ServerBusy","errorMessage":"m"}`),
		"too many":        say(429, ""),
		"evicted":         say(400, `{"errorCode":"NotExistConsumerWithBody","errorMessage":"m"}`),
		"quota":           say(403, `{"errorCode":"MetaOperationQpsLimitExceeded","errorMessage":"m"}`),
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				a := p.work("a", nil)
				p.await(time.Second, "a has both shards", shares(2)(a))
				before := len(p.made("a", "heartbeat"))
				a.line.setFault(func(r *http.Request) (*http.Response, error) {
					if r.URL.Query().Get("type") != "heartbeat" {
						return nil, nil
					}
					return fault(r)
				})
				time.Sleep(time.Minute)
				n := len(p.made("a", "heartbeat")) - before
				select {
				case <-a.done: // it was an error that no repetition can mend
					if a.err == nil || n > 1 {
						t.Errorf("Run returned %v after %d heartbeats", a.err, n)
					}
					return
				default:
				}
				if n < 10 || n > 80 {
					t.Errorf("%d heartbeats in a minute", n)
				}
				if s := a.Status(); len(s.Shards) != 0 {
					t.Errorf("it holds %d shards", len(s.Shards))
				}
				a.line.setFault(nil)
				p.await(2*peerInterval, "a has both shards again", shares(2)(a))
			})
		})
	}
}

// D28 elsewhere: if a batch of one shard failed ten times, or panicked, the worker ended with all its shards.
func TestD28OneShardFailsAlone(t *testing.T) {
	peersTest(t, 8, func(t *testing.T, p *peers) {
		a := p.work("a", func(s *peerSetup) {
			s.batch.Attempts = 10
			s.handle = func(_ context.Context, b *batch.Batch[slslog.Group], _ []int) error {
				switch b.ID().Number {
				case 0:
					return errSink
				case 1:
					panic("poison")
				}
				return nil
			}
			s.factory = func(next processor.Factory) processor.Factory {
				return func(ctx context.Context, l shardset.Lease) (processor.Processor, error) {
					if l.ID.Number == 2 {
						return processor.Func(func(context.Context, *processor.Shard) error { panic("the whole shard") }), nil
					}
					return next(ctx, l)
				}
			}
		})
		p.stream(5*time.Minute, time.Second, "")
		s := a.Status()
		if s.State != coordinator.StateRunning || len(s.Shards) != 8 || s.Counters.Halted != 2 || s.Counters.LeasesLost != 0 {
			t.Fatalf("the worker is %v with %d shards: %+v", s.State, len(s.Shards), s.Counters)
		}
		for _, shard := range s.Shards[:2] {
			if shard.State != coordinator.ShardHalted {
				t.Errorf("shard %v is %v after ten attempts", shard.ID, shard.State)
			}
		}
		for shard := 3; shard < 8; shard++ {
			if n := len(p.did(&p.handled, "a", shard)); n < 298 {
				t.Errorf("%d of 300 logs of shard %d were handled", n, shard)
			}
		}
	})
}

// D28 elsewhere: a shard that was revoked and granted again at once was not read for one interval.
func TestD28ShardComesBackAtOnce(t *testing.T) {
	peersTest(t, 2, func(t *testing.T, p *peers) {
		a := p.work("a", nil)
		p.await(time.Second, "a has both shards", shares(2)(a))
		b := p.work("b", nil)
		p.await(peerInterval+peerInterval/2, "a and b share the shards", shares(1, 1)(a, b))
		b.line.setFault(swallow)
		p.check(p.srv.Evict("p", "log", "g", "b"))
		if took := p.await(time.Minute, "a has both shards", shares(2)(a)); took > peerInterval+peerInterval/4 {
			t.Errorf("the shard came back after %v", took)
		}
	})
}
