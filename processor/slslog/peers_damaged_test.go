package slslog_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// Pages that are damaged on the way are read again, for an hour if need be, at a pace
// that does no harm; the shard shows it, and goes on by itself when they are clean.
func TestDamagedPagesAreReadAgain(t *testing.T) {
	for name, change := range map[string]func(h http.Header, body []byte) []byte{
		"bits":       func(_ http.Header, body []byte) []byte { body[0] ^= 0xff; body[len(body)/2] ^= 0xff; return body },
		"cut":        func(_ http.Header, body []byte) []byte { return body[:len(body)/2] },
		"zeros":      func(_ http.Header, body []byte) []byte { clear(body); return body },
		"size":       func(h http.Header, body []byte) []byte { h.Set("X-Log-Bodyrawsize", "77"); return body },
		"unpacked":   func(h http.Header, body []byte) []byte { h.Del("X-Log-Compresstype"); return body },
		"a web page": func(http.Header, []byte) []byte { return []byte("<html>please log in</html>") },
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				a := p.work("a", nil)
				p.await(time.Second, "a has both shards", shares(2)(a))
				a.line.setChange(func(r *http.Request, resp *http.Response) {
					if r.URL.Path != "/logstores/log/shards/0" || resp.Header.Get("X-Log-Count") == "0" {
						return
					}
					body, _ := io.ReadAll(resp.Body)
					body = change(resp.Header, body)
					resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
					resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
				})
				p.add(0, 5, "")
				p.add(1, 5, "")
				before := len(p.made("a", "logs"))
				time.Sleep(10 * time.Minute)
				s := a.Status().Shards[0]
				if s.State != coordinator.ShardRunning || s.Progress.Trouble == nil {
					t.Errorf("after ten minutes it is %v, trouble %v", s.State, s.Progress.Trouble)
				}
				var decode *slslog.DecodeError
				var decompress *slslog.DecompressError
				if name == "bits" && !errors.As(s.Progress.Trouble, &decode) && !errors.As(s.Progress.Trouble, &decompress) {
					t.Errorf("the trouble is %v", s.Progress.Trouble)
				}
				tries := 0
				for _, c := range p.made("a", "logs")[before:] {
					if c.shard == 0 {
						tries++
					}
				}
				if tries < 60 || tries > 170 {
					t.Errorf("it was read %d times in ten minutes", tries)
				}
				if n := len(p.did(&p.handled, "a", 1)); n != 5 {
					t.Errorf("%d of 5 logs of the other shard were handled", n)
				}
				a.line.setChange(nil)
				p.done(15 * time.Second)
				if s := a.Status(); s.Counters.Halted+s.Counters.Failures+s.Counters.Gaps > 0 {
					t.Errorf("counted %+v", s.Counters)
				}
			})
		})
	}
}
