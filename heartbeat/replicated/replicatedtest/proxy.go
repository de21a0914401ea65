package replicatedtest

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy forwards TCP connections to one server, and makes them fail in the ways of a
// network. Safe for concurrent use.
type Proxy struct {
	listener net.Listener
	server   string
	all      sync.WaitGroup // every goroutine of the proxy

	mu      sync.Mutex // guards everything below; never held across I/O or a channel
	network Network
	changed chan struct{} // closed and replaced when network changes
	pipes   map[*pipe]struct{}
	closed  bool
}

// Network is the state of a Proxy's network. The zero value is a network without faults.
type Network struct {
	ToServer, ToClient Flow
	// Latency is added in each direction.
	Latency time.Duration
}

// Flow says what happens to the bytes of one direction. A proxy refuses new connections
// unless both directions pass.
type Flow uint8

const (
	// FlowPass forwards the bytes.
	FlowPass Flow = iota
	// FlowHold keeps the bytes until the flow passes, as TCP does while packets are lost. The
	// connection stays open.
	FlowHold
	// FlowDrop discards the bytes. The connection stays open until the flow passes again; if it
	// has lost bytes, the proxy then resets it.
	FlowDrop
)

// NewProxy listens on a free port of this machine and forwards each connection to the
// server, which is a host and port. The server may start later.
func NewProxy(server string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("replicatedtest: proxy of %s: %w", server, err)
	}
	p := &Proxy{listener: l, server: server, changed: make(chan struct{}), pipes: map[*pipe]struct{}{}}
	p.all.Go(p.accept)
	return p, nil
}

// Addr returns the host and port that clients connect to.
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

// reset resets all connections. Clients may then connect again.
func (p *Proxy) reset() {
	for _, c := range p.list() {
		c.reset()
	}
}

// Close refuses new connections and resets the open ones. It returns when the proxy's
// goroutines have ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.reset()
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

// accept accepts connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve forwards one connection until it ends.
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
	_ = c.SetLinger(0) // so that Close resets the connection
	_ = c.Close()
}
