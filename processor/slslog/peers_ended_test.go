package slslog_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
)

// claimClosed has the list of shards say that all of them are read-only.
func claimClosed(r *http.Request, resp *http.Response) {
	if !strings.HasSuffix(r.URL.Path, "/shards") {
		return
	}
	body, _ := io.ReadAll(resp.Body)
	body = bytes.ReplaceAll(body, []byte(`"readwrite"`), []byte(`"readonly"`))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

// A list that calls shards closed too early ends them too early. The service goes on
// granting them, so they are started again, and what came behind their ends is read.
func TestEndThatCameTooEarly(t *testing.T) {
	for name, mended := range map[string]bool{"list is mended": true, "list stays wrong": false} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				core, logs := observer.New(zap.WarnLevel)
				a := p.work("a", func(s *peerSetup) { s.Logger = zap.New(core) })
				a.line.setChange(claimClosed)
				p.add(0, 5, "")
				p.add(1, 5, "")
				p.await(time.Minute, "both shards have ended", func() bool {
					s := a.Status().Shards
					return len(s) == 2 && s[0].State == coordinator.ShardComplete && s[1].State == coordinator.ShardComplete
				})
				p.done(time.Second)
				if mended {
					a.line.setChange(nil)
				}
				for range 5 {
					p.add(0, 3, "")
					p.add(1, 3, "")
					limit := 6 * time.Minute
					if mended {
						limit = 4 * peerInterval
					}
					p.done(limit)
				}
				if n := logs.FilterMessageSnippet("goes on granting").Len(); n < 2 || mended && n != 2 {
					t.Errorf("%d lines say that a shard is started again", n)
				}
				if mended {
					p.add(0, 1, "")
					p.done(2 * time.Second)
				}
			})
		})
	}
}
