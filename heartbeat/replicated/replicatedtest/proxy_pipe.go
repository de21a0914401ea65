package replicatedtest

import (
	"net"
	"sync"
	"time"
)

// pipe is one connection through a Proxy.
type pipe struct {
	proxy          *Proxy
	client, server *net.TCPConn
	once           sync.Once
	done           chan struct{} // closed by reset
}

// reset ends the connection on both sides, as if it had broken.
func (c *pipe) reset() {
	c.once.Do(func() {
		close(c.done)
		refuse(c.client)
		refuse(c.server)
	})
}

// carry forwards both directions until both have ended or one has broken.
func (c *pipe) carry() {
	var both sync.WaitGroup
	both.Go(func() { c.pump(c.server, c.client, func(n Network) Flow { return n.ToServer }) })
	both.Go(func() { c.pump(c.client, c.server, func(n Network) Flow { return n.ToClient }) })
	both.Wait()
	_ = c.client.Close()
	_ = c.server.Close()
}

// pump forwards one direction. It forwards the end of the stream too; any other error
// resets the connection.
func (c *pipe) pump(to, from *net.TCPConn, flow func(Network) Flow) {
	buf := make([]byte, 64<<10)
	lost := false
	for {
		n, err := from.Read(buf)
		pass, ok := c.wait(flow, lost)
		switch {
		case !ok:
			c.reset()
			return
		case !pass:
			lost = lost || n > 0 || err != nil
		case lost:
			c.reset()
			return
		case n > 0:
			if _, err := to.Write(buf[:n]); err != nil {
				c.reset()
				return
			}
		}
		if err != nil {
			if pass {
				_ = to.CloseWrite()
				return
			}
			c.drained(flow)
			return
		}
	}
}

// wait waits until bytes of a direction may pass, or must be dropped (pass is false). ok
// is false if the connection was reset.
func (c *pipe) wait(flow func(Network) Flow, lost bool) (pass, ok bool) {
	for {
		n, changed := c.proxy.state()
		switch flow(n) {
		case FlowDrop:
			return false, true
		case FlowHold:
			select {
			case <-changed:
				continue
			case <-c.done:
				return false, false
			}
		}
		if n.Latency > 0 && !lost {
			t := time.NewTimer(n.Latency)
			defer t.Stop()
			select {
			case <-t.C:
			case <-c.done:
				return false, false
			}
		}
		return true, true
	}
}

// drained handles a stream whose end was dropped: it waits until the direction passes
// again, and then resets the connection.
func (c *pipe) drained(flow func(Network) Flow) {
	for {
		n, changed := c.proxy.state()
		if flow(n) == FlowPass {
			c.reset()
			return
		}
		select {
		case <-changed:
		case <-c.done:
			return
		}
	}
}
