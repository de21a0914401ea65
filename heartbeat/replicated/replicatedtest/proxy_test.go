package replicatedtest

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo starts a server that sends back what it receives.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); _, _ = io.Copy(c, c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// rig is a proxy in front of an echo server, and a client.
type rig struct {
	*testing.T
	proxy *Proxy
	conn  net.Conn
}

func newRig(t *testing.T) *rig {
	t.Parallel()
	server := echo(t)
	p, err := NewProxy(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	r := &rig{T: t, proxy: p}
	r.conn = r.dial()
	r.hears("hello", r.say("hello"))
	return r
}

func (r *rig) dial() net.Conn {
	r.Helper()
	c, err := net.Dial("tcp", r.proxy.Addr())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) say(what string) time.Duration {
	r.Helper()
	if _, err := io.WriteString(r.conn, what); err != nil {
		r.Fatal(err)
	}
	return 10 * time.Second
}

// read returns what arrives within a time.
func (r *rig) read(n int, within time.Duration) (string, error) {
	_ = r.conn.SetReadDeadline(time.Now().Add(within))
	buf := make([]byte, n)
	n, err := io.ReadFull(r.conn, buf)
	return string(buf[:n]), err
}

func (r *rig) hears(want string, within time.Duration) {
	r.Helper()
	if got, err := r.read(len(want), within); got != want {
		r.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// silent fails the test unless the connection stays open and nothing arrives.
func (r *rig) silent() {
	r.Helper()
	if got, err := r.read(1, 60*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		r.Fatalf("heard %q, %v; want silence", got, err)
	}
}

// broken fails the test unless the connection breaks.
func (r *rig) broken() {
	r.Helper()
	if got, err := r.read(1, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		r.Fatalf("heard %q, %v; want a broken connection", got, err)
	}
}

// refused fails the test unless a new connection is refused, or breaks at once.
func (r *rig) refused() {
	r.Helper()
	c, err := net.Dial("tcp", r.proxy.Addr())
	if err != nil {
		return
	}
	r.Cleanup(func() { _ = c.Close() })
	r.conn = c
	r.broken()
}

func TestProxyHoldsAndDelivers(t *testing.T) {
	for name, n := range map[string]Network{
		"to server": {ToServer: FlowHold}, "to client": {ToClient: FlowHold}, "both": {ToServer: FlowHold, ToClient: FlowHold},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.proxy.Set(n)
			r.say("while cut")
			r.silent()
			r.proxy.Set(Network{})
			r.hears("while cut", 10*time.Second)
			r.hears("again", r.say("again"))
		})
	}
}

func TestProxyDropsAndResets(t *testing.T) {
	for name, n := range map[string]Network{"to server": {ToServer: FlowDrop}, "to client": {ToClient: FlowDrop}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.proxy.Set(n)
			r.say("lost")
			r.silent()
			r.proxy.Set(Network{})
			_, _ = io.WriteString(r.conn, "more")
			r.broken()
			r.conn = r.dial()
			r.hears("anew", r.say("anew"))
		})
	}
}

// If one direction is cut, the other still passes what it has.
func TestProxyCutsOneWay(t *testing.T) {
	r := newRig(t)
	r.say("to be answered")
	r.hears("to be answered", 10*time.Second)
	r.proxy.Set(Network{ToServer: FlowDrop})
	r.say("never arrives")
	r.silent()
	r.proxy.Set(Network{ToServer: FlowDrop, ToClient: FlowHold})
	r.silent()
}

func TestProxyRefusesWhileCut(t *testing.T) {
	r := newRig(t)
	for _, n := range []Network{{ToServer: FlowHold}, {ToClient: FlowDrop}} {
		r.proxy.Set(n)
		r.refused()
	}
	r.proxy.Set(Network{})
	r.conn = r.dial()
	r.hears("healed", r.say("healed"))
}

func TestProxyResets(t *testing.T) {
	r := newRig(t)
	r.proxy.reset()
	r.broken()
	r.conn = r.dial()
	r.hears("anew", r.say("anew"))
	r.proxy.Set(Network{ToServer: FlowHold})
	r.say("held")
	r.silent()
	r.proxy.reset()
	r.broken()
}

func TestProxyIsSlow(t *testing.T) {
	r := newRig(t)
	r.proxy.Set(Network{Latency: 30 * time.Millisecond})
	start := time.Now()
	r.hears("slow", r.say("slow"))
	if took := time.Since(start); took < 60*time.Millisecond {
		t.Errorf("there and back took %v, want 60ms at least", took)
	}
}

func TestProxyPassesTheEnd(t *testing.T) {
	r := newRig(t)
	large := strings.Repeat("large ", 100_000)
	go func() { // ends with the connection
		_, _ = io.WriteString(r.conn, large)
		_ = r.conn.(*net.TCPConn).CloseWrite()
	}()
	_ = r.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(r.conn)
	if err != nil || string(got) != large {
		t.Errorf("heard %d bytes, %v; want %d and the end", len(got), err, len(large))
	}
	for end := time.Now().Add(10 * time.Second); len(r.proxy.list()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are left", len(r.proxy.list()))
		}
	}
}

func TestProxyWithoutServer(t *testing.T) {
	t.Parallel()
	p, err := NewProxy("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, proxy: p}
	r.refused()
	p.Close()
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("a closed proxy takes connections")
	}
}

// Close ends what is held, and waits.
func TestProxyCloses(t *testing.T) {
	r := newRig(t)
	r.proxy.Set(Network{ToServer: FlowHold, ToClient: FlowHold})
	r.say("held")
	r.proxy.Close()
	r.broken()
	if n := len(r.proxy.list()); n != 0 {
		t.Errorf("a closed proxy has %d connections", n)
	}
	r.proxy.Close()
}
