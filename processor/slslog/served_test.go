package slslog

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

// served is a real client with a real server, and no network between them.
type served struct {
	t      *testing.T
	server *slsserver.Server
	*sls.Client
	number int // of the next log group
}

// inProcess hands requests to a handler.
type inProcess struct{ h http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.h.ServeHTTP(w, in)
	return w.Result(), nil
}

func serve(t *testing.T, shards int, cfg slsserver.Config, change ...func(*sls.Config)) *served {
	t.Helper()
	cfg.Projects = []slsserver.Project{{
		Name: "p", Logstores: []slsserver.Logstore{{Name: testLog, Shards: shards}},
		Processors: map[string]string{"odd": "* | where parity = '1'"},
	}}
	srv, err := slsserver.New(cfg)
	must(t, err)
	t.Cleanup(func() { _ = srv.Close() })
	config := sls.Config{
		Endpoint: "http://127.0.0.1", Project: "p", Logstore: testLog, Group: "g", Timeout: 6 * time.Second,
		Transport: inProcess{srv},
	}
	for _, f := range change {
		f(&config)
	}
	c, err := sls.New(config)
	must(t, err)
	return &served{t: t, server: srv, Client: c}
}

// put writes groups of one log each to the shard that takes a key beginning with that
// digit. Their content "n" counts through.
func (s *served) put(digit byte, groups int, o sls.PutOptions) {
	s.t.Helper()
	o.HashKey = string(digit) + "0000000000000000000000000000000"
	for range groups {
		var b Builder
		must(s.t, b.AddLog(time.Now(), Content{"n", strconv.AppendInt(nil, int64(s.number), 10)},
			Content{"parity", strconv.AppendInt(nil, int64(s.number%2), 10)},
			Content{"fill", bytes.Repeat([]byte("fill "), s.number*7%500)}))
		s.number++
		must(s.t, s.Put(s.t.Context(), b.Bytes(), o))
	}
}

func (s *served) at(shard int, from sls.From) string {
	s.t.Helper()
	c, err := s.Cursor(s.t.Context(), shard, from)
	must(s.t, err)
	return c
}

func (s *served) source(o Options) *Source {
	s.t.Helper()
	src, err := New(s.Client, o)
	must(s.t, err)
	return src
}
