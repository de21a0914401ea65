package slslog_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

// noList is a worker without the right to list shards, which the official consumers never
// need.
var noList = slsserver.Fault{Op: "ListShards", Status: 403, Code: "Unauthorized", Message: "denied by the policy"}

// While the service refuses the list of shards, the children of an idle parent still start, and the refusal
// is shown.
func TestChildrenStartWithoutTheList(t *testing.T) {
	for _, data := range []int{0, 5} {
		t.Run(fmt.Sprintf("%d logs", data), func(t *testing.T) {
			peersTestOn(t, peersConfig, 2, true, func(t *testing.T, p *peers) {
				p.fault(noList)
				core, logs := observer.New(zap.InfoLevel)
				p.add(0, data, "")
				setUp := func(s *peerSetup) {
					s.Logger = zap.New(core)
					s.client = func(c *sls.Config) { c.Ordered = true }
				}
				a := p.work("a", setUp)
				p.await(time.Minute, "a has both shards", shares(2)(a))
				p.done(time.Minute)
				time.Sleep(10 * time.Minute)
				for _, s := range a.Status().Shards {
					var refused *sls.Error
					if err := s.Progress.Trouble; !errors.As(err, &refused) || refused.Code != "Unauthorized" || !strings.Contains(err.Error(), "log:ListShards") {
						t.Errorf("shard %v has the trouble %v", s.ID, err)
					}
				}
				if lines := logs.FilterMessageSnippet("list of shards").All(); len(lines) != 1 || lines[0].Level != zap.WarnLevel {
					t.Errorf("logged %v, want one warning", lines)
				}
				if n := p.srv.Stats()["ListShards"]; n < 10 || n > 25 {
					t.Errorf("the list was asked for %d times in ten minutes", n)
				}
				_, err := p.admin.SplitShard(t.Context(), 0, fmt.Sprintf("40%030x", 0))
				p.check(err)
				p.addKey(fmt.Sprintf("%032x", 0), 5, "")
				p.addKey(fmt.Sprintf("50%030x", 0), 5, "")
				p.await(90*time.Second, "the children were read", func() bool { return len(p.missing("")) == 0 })
				state, err := p.srv.Group("p", "log", "g")
				p.check(err)
				if !slices.Equal(state.Complete, []int{0}) {
					t.Errorf("the complete shards: %v", state.Complete)
				}
			})
		})
	}
}

// If a request for the list hangs, it delays neither reads nor the end of the worker.
func TestHangingListDelaysNothing(t *testing.T) {
	peersTest(t, 2, func(t *testing.T, p *peers) {
		a := p.work("a", nil)
		a.line.setFault(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/shards") {
				return swallow(r)
			}
			return nil, nil
		})
		p.await(time.Second, "a has both shards", shares(2)(a))
		p.stream(time.Minute, 500*time.Millisecond, "")
		p.done(2 * time.Second)
		put := map[int]time.Time{}
		for range 20 {
			for shard := range 2 {
				put[p.add(shard, 1, "")] = time.Now()
			}
			time.Sleep(1500 * time.Millisecond)
		}
		for _, h := range p.did(&p.handled, "a", -1) {
			if at, ok := put[h.n]; ok && h.at.Sub(at) > time.Second {
				t.Errorf("log %d was handled after %v", h.n, h.at.Sub(at))
			}
		}
		var trouble error
		for _, s := range a.Status().Shards {
			trouble = errors.Join(trouble, s.Progress.Trouble)
		}
		if !errors.Is(trouble, context.DeadlineExceeded) {
			t.Errorf("the trouble is %v", trouble)
		}
		if took, err := a.end(); took > 100*time.Millisecond || err != nil {
			t.Errorf("Run returned %v after %v", err, took)
		}
	})
}

// When the list is available again, that is logged, and closed shards end.
func TestListComesBack(t *testing.T) {
	peersTestOn(t, peersConfig, 2, true, func(t *testing.T, p *peers) {
		number, err := p.srv.AddFault(noList)
		p.check(err)
		core, logs := observer.New(zap.InfoLevel)
		a := p.work("a", func(s *peerSetup) {
			s.Logger = zap.New(core)
			s.client = func(c *sls.Config) { c.Ordered = true }
		})
		p.await(time.Minute, "a has both shards", shares(2)(a))
		time.Sleep(time.Minute)
		p.srv.RemoveFault(number)
		p.await(time.Minute, "the trouble is over", func() bool {
			return !slices.ContainsFunc(troubles(a), func(err error) bool { return err != nil })
		})
		lines := logs.FilterMessageSnippet("list of shards").All()
		if len(lines) != 2 || lines[0].Level != zap.WarnLevel || lines[1].Level != zap.InfoLevel {
			t.Errorf("logged %v", lines)
		}
		_, err = p.admin.SplitShard(t.Context(), 0, fmt.Sprintf("40%030x", 0))
		p.check(err)
		p.addKey(fmt.Sprintf("%032x", 0), 5, "")
		if took := p.await(time.Minute, "the child was read", func() bool { return len(p.missing("")) == 0 }); took > 8*time.Second {
			t.Errorf("the child was read after %v", took)
		}
	})
}

func troubles(w *peerWorker) (all []error) {
	for _, s := range w.Status().Shards {
		if s.State == coordinator.ShardRunning {
			all = append(all, s.Progress.Trouble)
		}
	}
	return all
}
