package replicatedtest

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy stands between clients and one server over TCP and can do to their connections
// what a network does. Safe for concurrent use.
type Proxy struct {
	listener net.Listener
	server   string
	all      sync.WaitGroup // every goroutine of the proxy

	mu      sync.Mutex // guards everything below; never held across I/O or a channel
	network Network
	changed chan struct{} // closed when network changes, and made anew
	pipes   map[*pipe]struct{}
	closed  bool
}

// Network is how a Proxy's network is. The zero value: all passes at once.
type Network struct {
	ToServer, ToClient Flow
	// Latency is added each way.
	Latency time.Duration
}

// Flow is what becomes of the bytes of one direction. While either direction does not
// pass, new connections are refused.
type Flow uint8

const (
	// FlowPass lets them through.
	FlowPass Flow = iota
	// FlowHold keeps them until the flow passes, as TCP does while packets are lost. The
	// connection stays up.
	FlowHold
	// FlowDrop throws them away. The connection stays up until the flow passes again;
	// if it has lost something, it is reset then.
	FlowDrop
)

func (f Flow) String() string {
	switch f {
	case FlowPass:
		return "pass"
	case FlowHold:
		return "hold"
	case FlowDrop:
		return "drop"
	}
	return fmt.Sprintf("Flow(%d)", uint8(f))
}

// NewProxy listens on a free port of this machine and connects whoever comes to the
// server, a host and port. The server need not run yet.
func NewProxy(server string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("replicatedtest: proxy of %s: %w", server, err)
	}
	p := &Proxy{listener: l, server: server, changed: make(chan struct{}), pipes: map[*pipe]struct{}{}}
	p.all.Go(p.accept)
	return p, nil
}

// Addr returns the host and port to connect to instead of the server's.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the network.
func (p *Proxy) Set(n Network) {
	p.mu.Lock()
	p.network = n
	changed := p.changed
	p.changed = make(chan struct{})
	p.mu.Unlock()
	close(changed)
}

// Heal is Set of a network without faults.
func (p *Proxy) Heal() { p.Set(Network{}) }

// Reset resets all connections; new ones can be made.
func (p *Proxy) Reset() {
	for _, c := range p.list() {
		c.reset()
	}
}

// Connections returns how many there are.
func (p *Proxy) Connections() int { return len(p.list()) }

// Close refuses new connections, resets those there are, and returns when nothing of
// the proxy runs any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Reset()
	p.all.Wait()
}

func (p *Proxy) list() []*pipe {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*pipe, 0, len(p.pipes))
	for c := range p.pipes {
		list = append(list, c)
	}
	return list
}

func (p *Proxy) state() (Network, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network, p.changed
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve carries one connection to its end.
func (p *Proxy) serve(client *net.TCPConn) {
	n, _ := p.state()
	if n.ToServer != FlowPass || n.ToClient != FlowPass {
		refuse(client)
		return
	}
	server, err := net.DialTimeout("tcp", p.server, 5*time.Second)
	if err != nil {
		refuse(client)
		return
	}
	c := &pipe{proxy: p, client: client, server: server.(*net.TCPConn), done: make(chan struct{})}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.pipes[c] = struct{}{}
	}
	p.mu.Unlock()
	if closed {
		c.reset()
		return
	}
	c.carry()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pipes, c)
}

func refuse(c *net.TCPConn) {
	_ = c.SetLinger(0) // a reset, and not an end
	_ = c.Close()
}
