package sls

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// network connects a client to its server through pipes. Its connections can hang, as behind a
// firewall that drops them: they lose what the client writes, and bring no answer.
type network struct {
	accept chan net.Conn
	gone   chan struct{}
	delay  time.Duration // of dialling

	mu    sync.Mutex
	conns []*hungConn
}

func newNetwork(t *testing.T, h http.Handler, p *http.Protocols) *network {
	n := &network{accept: make(chan net.Conn), gone: make(chan struct{})}
	srv := &http.Server{Handler: h, Protocols: p}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(n) }()
	t.Cleanup(func() {
		_ = srv.Close()
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, c := range n.conns {
			_ = c.Close()
		}
		<-done
	})
	return n
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accept:
		return c, nil
	case <-n.gone:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { close(n.gone); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	time.Sleep(n.delay)
	select {
	case n.accept <- far:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := &hungConn{Conn: near, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return c, nil
}

// hang makes all present connections hang for ever, and returns their number.
func (n *network) hang() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.hung.Store(true)
	}
	return len(n.conns)
}

type hungConn struct {
	net.Conn
	hung   atomic.Bool
	once   sync.Once
	closed chan struct{}
}

func (c *hungConn) Write(b []byte) (int, error) {
	if c.hung.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *hungConn) Read(b []byte) (int, error) {
	if !c.hung.Load() {
		n, err := c.Conn.Read(b)
		if !c.hung.Load() {
			return n, err
		}
	}
	<-c.closed
	return 0, io.EOF
}

func (c *hungConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// handler answers like the service wire, over a real connection.
func handler(w *wire) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 {
			r.ContentLength = 0
		}
		resp, err := w.RoundTrip(r)
		if err != nil {
			return
		}
		defer func() { _ = resp.Body.Close() }()
		for k, v := range resp.Header {
			rw.Header()[k] = v
		}
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
	})
}

const try = 600 * time.Millisecond // of a heartbeat

// line is a client on a network, with a transport of its user's.
func line(t *testing.T, http2 bool, w *wire) (*Client, *network) {
	p := &http.Protocols{}
	p.SetHTTP1(!http2)
	p.SetUnencryptedHTTP2(http2)
	n := newNetwork(t, handler(w), p)
	transport := &http.Transport{DialContext: n.dial, Protocols: p, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := config(transport)
	cfg.Endpoint = "http://127.0.0.1:1"
	return newClient(t, cfg), n
}

func tryBeat(t *testing.T, c *Client) error {
	ctx, cancel := context.WithTimeout(t.Context(), try)
	defer cancel()
	_, err := c.Beat(ctx, request())
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the heartbeat returned %v", err)
	}
	return err
}

// The client stops using a connection that hangs after one or two requests. With HTTP/2 all
// requests share one connection, and nothing else would notice for a minute. With HTTP/1.1 there
// may be many idle ones.
func TestHungConnections(t *testing.T) {
	for _, c := range []struct {
		name  string
		http2 bool
		reads int // at the same time as the heartbeats
		hang  bool
	}{
		{"HTTP/1.1", false, 0, false}, {"HTTP/1.1, many idle", false, 9, false}, {"HTTP/1.1 with reads", false, 3, true},
		{"HTTP/2", true, 0, false}, {"HTTP/2 with reads", true, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				client, n := line(t, c.http2, service(6, func(s sent) *http.Response {
					if s.URL.Query().Get("type") == "logs" {
						<-release
					}
					return nil
				}))
				if err := tryBeat(t, client); err != nil {
					t.Fatal(err)
				}
				reading, stop := context.WithCancel(t.Context())
				var reads sync.WaitGroup
				for range c.reads {
					reads.Go(func() { _, _ = client.Pull(reading, PullRequest{Cursor: "x"}) })
				}
				synctest.Wait()
				if !c.hang {
					close(release)
					reads.Wait()
				}
				n.hang()
				tries := 1
				for tries < 50 && tryBeat(t, client) != nil {
					tries++
				}
				if tries > 3 {
					t.Errorf("%d tries before one was answered, want 3 at most", tries)
				}
				stop()
				if c.hang {
					close(release)
				}
				reads.Wait()
			})
		})
	}
}

// A network so slow that a new connection takes more than a heartbeat may take costs
// tries at the beginning, and after a hiccup, but no connection that works.
func TestSlowConnectionsAreKept(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var trip atomic.Int64
			trip.Store(int64(300 * time.Millisecond))
			client, n := line(t, http2, service(6, func(sent) *http.Response {
				time.Sleep(time.Duration(trip.Load()))
				return nil
			}))
			n.delay = 700 * time.Millisecond
			fails := func(beats int) (n int) {
				for range beats {
					if tryBeat(t, client) != nil {
						n++
					}
					time.Sleep(time.Second)
				}
				return n
			}
			if got := fails(20); got > 3 {
				t.Errorf("HTTP/2: %v: %d of the first 20 heartbeats failed, want 3 at most", http2, got)
			}
			trip.Store(int64(700 * time.Millisecond))
			fails(1)
			trip.Store(int64(300 * time.Millisecond))
			if got := fails(20); got > 1 {
				t.Errorf("HTTP/2: %v: %d of 20 heartbeats failed after a hiccup, want one at most", http2, got)
			}
		})
	}
}
