package slslog_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// page is the answer of a proxy or a portal on the way, instead of the service's.
func page(r *http.Request, status int) *http.Response {
	body := fmt.Sprintf("<html><title>%d</title>", status)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"text/html"}, "Location": {"https://portal.example/"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// Pages of a middlebox, with any status, cost the tries that they answer, and nothing
// else: the worker starts behind them, keeps its lease through them, reads on after them,
// and takes none of them for a commit.
func TestPagesOfAMiddlebox(t *testing.T) {
	statuses := []int{200, 204, 301, 307, 400, 401, 403, 404, 407, 410, 413, 421, 429, 451, 500, 502, 503, 504}
	peersTest(t, 2, func(t *testing.T, p *peers) {
		var n atomic.Int64
		all := func(r *http.Request) (*http.Response, error) {
			return page(r, statuses[int(n.Add(1))%len(statuses)]), nil
		}
		a := p.work("a", func(s *peerSetup) {
			s.client = func(cfg *sls.Config) { cfg.Transport.(*peerLine).setFault(all) }
			s.batch.CommitInterval = 100 * time.Millisecond
		})
		time.Sleep(30 * time.Second) // it has no lease yet to lose
		if n.Load() < 10 {
			t.Errorf("it tried %d times in 30s", n.Load())
		}
		var beats atomic.Int64
		some := func(r *http.Request) (*http.Response, error) {
			struck := n.Add(1)%5 < 2
			if r.URL.Query().Get("type") == "heartbeat" { // never so many in a row that the lease could end
				struck = beats.Add(1)%3 > 0
			}
			if struck {
				return page(r, statuses[int(n.Load()/5)%len(statuses)]), nil
			}
			return nil, nil
		}
		a.line.setFault(some)
		p.await(15*peerInterval, "a has both shards", shares(2)(a)) // it is down to one try in an interval
		p.stream(5*time.Minute, 500*time.Millisecond, "")
		p.done(time.Minute)
		s := a.Status()
		if s.State != coordinator.StateRunning || s.Counters.LeasesLost != 0 || s.Counters.Halted != 0 {
			t.Errorf("the worker is %v: %+v", s.State, s.Counters)
		}
		took, told := 0, s.Counters.Commits
		for _, c := range p.made("a", "checkpoint") {
			if c.status == http.StatusOK {
				took++
			}
		}
		if told != int64(took) || s.Counters.CommitsFailed == 0 {
			t.Errorf("the worker counted %d commits, and %d failed; the service took %d", told, s.Counters.CommitsFailed, took)
		}
	})
}
