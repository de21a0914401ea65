package sls

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// server is a real HTTP server that counts its connections.
type server struct {
	*httptest.Server
	port        string
	connections atomic.Int64
}

func serve(t testing.TB, address string, h http.HandlerFunc) *server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("cannot listen on %s: %v", address, err)
	}
	s := &server{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerRequestID, "5B0A6B60BB6EE39764D458B5")
		h(w, r)
	}))}
	_ = s.Listener.Close()
	s.Listener = l
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	s.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	return s
}

func liveClient(t testing.TB, endpoint string, spoil ...func(*Config)) *Client {
	t.Helper()
	cfg := config(nil)
	cfg.Endpoint, cfg.Project = endpoint, "p"
	for _, f := range spoil {
		f(&cfg)
	}
	return newClient(t, cfg)
}

// A loopback address is dialled as it is, and the project is in the Host header, which
// version 4 signs as it is sent.
func TestLoopbackHosts(t *testing.T) {
	for _, c := range []struct{ listen, endpoint, host string }{
		{"127.0.0.1:0", "http://127.0.0.1:", "p.127.0.0.1:"},
		{"127.0.0.1:0", "127.0.0.1:", "p.127.0.0.1:"},
		{"127.0.0.1:0", "http://localhost:", "p.localhost:"},
		{"127.0.0.1:0", "http://LOCALHOST:", "p.localhost:"},
		{"[::1]:0", "http://[::1]:", "p.[::1]:"},
		{"[::1]:0", "http://localhost:", "p.localhost:"},
	} {
		t.Run(c.listen+" as "+c.endpoint, func(t *testing.T) {
			var host, authorization string
			var header http.Header
			s := serve(t, c.listen, func(w http.ResponseWriter, r *http.Request) {
				host, authorization, header = r.Host, r.Header.Get(headerAuthorization), r.Header
				_, _ = io.WriteString(w, "[]")
			})
			client := liveClient(t, c.endpoint+s.port, func(cfg *Config) { cfg.Signature, cfg.Region = V4, "r" })
			if _, err := client.ListShards(t.Context()); err != nil {
				t.Fatal(err)
			}
			if e := header.Get(headerAcceptEncoding); e != "" {
				t.Errorf("it accepts %q; what is small needs no compression", e)
			}
			if want := c.host + s.port; host != want {
				t.Errorf("the host is %q, want %q", host, want)
			}
			if want := signV4(mockID, mockSecret, "r", "GET", host, "/logstores/my-logstore/shards", nil, header); authorization != want {
				t.Errorf("the signature is %q, want %q", authorization, want)
			}
		})
	}
}

// Two local addresses and nothing else are called localhost.
func TestLocalhostIsNotLookedUp(t *testing.T) {
	var dialled []string
	d := dialer(func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, errors.New("no")
	})
	for _, address := range []string{"localhost:80", "localhost.example.com:80", "127.0.0.1:80"} {
		_, _ = d(t.Context(), "tcp", address)
	}
	if want := []string{"127.0.0.1:80", "[::1]:80", "localhost.example.com:80", "127.0.0.1:80"}; !slices.Equal(dialled, want) {
		t.Errorf("it dialled %q, want %q", dialled, want)
	}
}

// The service never redirects, so somebody else does. Nothing goes where it points.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var strayed atomic.Int64
	other := serve(t, "127.0.0.1:0", func(http.ResponseWriter, *http.Request) { strayed.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		for op, call := range operations(liveClient(t, s.URL)) {
			var e *TransportError
			if err := call(t.Context()); !errors.As(err, &e) || e.HTTPStatus != status || !strings.Contains(err.Error(), `a redirect to "127.0.0.1:`) {
				t.Errorf("%s redirected with %d returned %v", op, status, err)
			}
		}
	}
	if n := strayed.Load(); n != 0 {
		t.Errorf("%d requests went to another server", n)
	}
}

// Defect D25 of a peer: bodies that were not closed pinned a connection for each commit.
func TestD25BodiesAreDrained(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
	}{{200, "{}"}, {200, ""}, {200, strings.Repeat(" ", 10_000)}, {404, `{"errorCode":"ConsumerNotExist"}`}, {500, strings.Repeat("x", 50_000)}} {
		s := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		client := liveClient(t, s.URL)
		for range 50 {
			_ = client.updateCheckpoint(t.Context(), "c1", 0, "x")
		}
		if n := s.connections.Load(); n != 1 {
			t.Errorf("50 commits answered with %d and %d bytes took %d connections", c.status, len(c.body), n)
		}
	}
}

// Data that fills all its connections leaves those of the heartbeats alone.
func TestHeartbeatsHaveTheirOwnConnections(t *testing.T) {
	release := make(chan struct{})
	var pulling sync.WaitGroup
	var mu sync.Mutex
	remotes := map[string][]string{} // by the kind of request
	s := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		kind := r.URL.Query().Get("type")
		mu.Lock()
		remotes[kind] = append(remotes[kind], r.RemoteAddr)
		mu.Unlock()
		switch {
		case kind == "logs":
			pulling.Done()
			<-release
		case r.URL.Path == listPath:
			_, _ = io.WriteString(w, `[{"name":"my-group","timeout":6,"order":false}]`)
		default:
			_, _ = io.WriteString(w, "[]")
		}
	})
	c := liveClient(t, s.URL)
	if err := c.updateCheckpoint(t.Context(), "c1", 0, "x"); err != nil { // leaves an idle connection
		t.Fatal(err)
	}
	if _, err := c.Beat(t.Context(), request()); err != nil { // could take that one
		t.Fatal(err)
	}
	var all sync.WaitGroup
	pulling.Add(20)
	for range 20 {
		all.Go(func() { _, _ = c.Pull(t.Context(), PullRequest{Cursor: "x"}) })
	}
	pulling.Wait()
	for range 3 {
		if _, err := c.Beat(t.Context(), request()); err != nil {
			t.Error(err)
		}
	}
	close(release)
	all.Wait()
	for _, beat := range remotes["heartbeat"] {
		if slices.Contains(remotes["logs"], beat) || slices.Contains(remotes["checkpoint"], beat) || beat != remotes["heartbeat"][0] {
			t.Errorf("heartbeats came from %q, data from %q", remotes["heartbeat"], remotes["logs"])
		}
	}
}

// A server that hangs, at the headers or in the body, costs the time of the call.
func TestServerThatHangs(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"headers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(headerCursor, "x")
			w.Header().Set(headerCount, "1")
			w.Header().Set(headerBodyRawSize, "1000")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "[")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		s := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does a server notice that its client has gone
			h(w, r)
		})
		c := liveClient(t, s.URL, func(cfg *Config) { cfg.RequestTimeout = 50 * time.Millisecond })
		for op, call := range map[string]func(context.Context) error{
			opPull: operations(c)[opPull], opListShards: operations(c)[opListShards], opHeartbeat: operations(c)[opHeartbeat],
		} {
			start := time.Now()
			err := call(t.Context())
			if err == nil || !heartbeat.Retryable(err) || time.Since(start) > 5*time.Second {
				t.Errorf("%s that hangs in the %s returned %v after %v", op, name, err, time.Since(start))
			}
		}
	}
}

// Headers without end are refused by the transport.
func TestOversizedHeaders(t *testing.T) {
	s := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
		_, _ = io.WriteString(w, "[]")
	})
	_, err := liveClient(t, s.URL).ListShards(t.Context())
	var te *TransportError
	if !errors.As(err, &te) {
		t.Errorf("it returned %v, want a *TransportError", err)
	}
}

// One client serves many goroutines; this is for the race detector.
func TestAllAtOnce(t *testing.T) {
	s := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.Header.Get(headerSecurityToken) == "t3":
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"errorCode":"SecurityTokenExpired"}`)
		case r.URL.Path == listPath:
			_, _ = io.WriteString(w, `[{"name":"my-group","timeout":9,"order":false}]`)
		case q.Get("type") == "logs":
			for name, values := range answers[opPull]().Header {
				w.Header()[name] = values
			}
			_, _ = w.Write(samplePage)
		case q.Get("type") == "cursor":
			_, _ = io.WriteString(w, `{"cursor":"x"}`)
		case q.Get("type") == "cursor_time":
			_, _ = io.WriteString(w, `{"cursor_time":1}`)
		default:
			_, _ = io.WriteString(w, "[]")
		}
	})
	c := liveClient(t, s.URL, func(cfg *Config) { cfg.Credentials = &bank{} })
	var all sync.WaitGroup
	for range 4 {
		for op, call := range operations(c) {
			all.Go(func() {
				for range 5 {
					if err := call(t.Context()); err != nil {
						t.Errorf("%s: %v", op, err)
					}
				}
			})
		}
		all.Go(func() {
			for range 5 {
				if a, err := c.Beat(t.Context(), request()); err != nil || a.TTL != 9*time.Second {
					t.Errorf("Beat: %+v, %v", a, err)
				}
				c.lastGroup()
			}
		})
	}
	all.Wait()
}
