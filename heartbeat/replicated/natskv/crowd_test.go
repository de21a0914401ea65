package natskv_test

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
	"github.com/rollcall-go/rollcall/shardset"
)

var (
	crowdTTL = flag.Duration("ttl", 6*time.Second, "the TTL of the group in TestCrowd")
	crowdFor = flag.Duration("duration", 0, "how long TestCrowd goes on with one fault after the other; zero: each once")
)

// crowded is a crowd on a cluster of three nodes of its own. Each member reaches each node
// through a proxy.
type crowded struct {
	*fleet
	t   *testing.T
	cfg natskv.Config

	mu      sync.Mutex // guards proxies
	proxies map[string][]*replicatedtest.Proxy
}

func (c *crowded) dial(name string) (replicatedtest.Connection, error) {
	var urls []string
	var proxies []*replicatedtest.Proxy
	for _, s := range c.servers {
		p, err := replicatedtest.NewProxy(strings.TrimPrefix(s.ClientURL(), "nats://"))
		if err != nil {
			return replicatedtest.Connection{}, err
		}
		proxies = append(proxies, p)
		urls = append(urls, "nats://"+p.Addr())
	}
	conn, err := nats.Connect(strings.Join(urls, ","), append(natskv.Options(), nats.IgnoreDiscoveredServers())...)
	if err != nil {
		return replicatedtest.Connection{}, err
	}
	cfg := c.cfg
	cfg.Conn = conn
	client, err := natskv.New(cfg)
	if err != nil {
		return replicatedtest.Connection{}, err
	}
	c.mu.Lock()
	c.proxies[name] = proxies
	c.mu.Unlock()
	set := func(n replicatedtest.Network) {
		for _, p := range proxies {
			p.Set(n)
		}
	}
	return replicatedtest.Connection{
		Group: client,
		Cut: func(cut bool) {
			if cut {
				set(replicatedtest.Network{ToServer: replicatedtest.FlowDrop, ToClient: replicatedtest.FlowDrop})
			} else {
				set(replicatedtest.Network{})
			}
		},
		Close: func() {
			client.Close()
			conn.Close()
			for _, p := range proxies {
				p.Close()
			}
		},
	}, nil
}

// network is a fault of the network between a and all nodes.
func (c *crowded) network(name string, n replicatedtest.Network) replicatedtest.Fault {
	set := func(n replicatedtest.Network) func(*replicatedtest.Crowd) error {
		return func(*replicatedtest.Crowd) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, p := range c.proxies["a"] {
				p.Set(n)
			}
			return nil
		}
	}
	return replicatedtest.Fault{Name: name, Do: set(n), Undo: set(replicatedtest.Network{})}
}

// faults returns faults that a TTL shorter than an election survives. The sudden death of a
// leader is for natsdrill, with real processes and a longer TTL.
func (c *crowded) faults() []replicatedtest.Fault {
	drop, hold := replicatedtest.FlowDrop, replicatedtest.FlowHold
	list := []replicatedtest.Fault{
		c.network("cut both ways", replicatedtest.Network{ToServer: drop, ToClient: drop}),
		c.network("cut to the nodes", replicatedtest.Network{ToServer: drop}),
		c.network("cut from the nodes", replicatedtest.Network{ToClient: hold}),
		{Name: "all nodes restart", Do: func(*replicatedtest.Crowd) error { c.restart(c.t); return nil }},
		c.stopped(0),
		c.remade(),
		c.longer(),
	}
	if *crowdFor > 0 {
		list = append(list, c.stopped(1), c.stopped(2),
			c.network("slow network", replicatedtest.Network{Latency: 50 * time.Millisecond}))
	}
	return list
}

// administer changes the group from outside.
func (c *crowded) administer(do func(admin *replicated.Client) error) error {
	conn, err := c.servers[0].Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	cfg := c.cfg
	cfg.Conn = conn
	admin, err := natskv.New(cfg)
	if err != nil {
		return err
	}
	defer admin.Close()
	return do(admin)
}

// remade deletes the group and makes it anew while one member is cut off.
func (c *crowded) remade() replicatedtest.Fault {
	return replicatedtest.Fault{
		Name: "the group is deleted and made anew, and one does not hear of it", Deletes: true,
		Do: func(crowd *replicatedtest.Crowd) error {
			crowd.Cut("a")
			return c.administer(func(admin *replicated.Client) error {
				return errors.Join(admin.Delete(soon(c.t)), admin.Create(soon(c.t)))
			})
		},
		Undo: func(crowd *replicatedtest.Crowd) error { crowd.Heal("a"); return nil },
	}
}

// longer makes the TTL longer while one member is cut off, and then restores it.
func (c *crowded) longer() replicatedtest.Fault {
	set := func(ttl time.Duration) error {
		return c.administer(func(admin *replicated.Client) error { return admin.SetTTL(soon(c.t), ttl) })
	}
	return replicatedtest.Fault{
		Name: "the TTL becomes longer, and one does not hear of it",
		Do:   func(crowd *replicatedtest.Crowd) error { crowd.Cut("a"); return set(*crowdTTL * 3 / 2) },
		Undo: func(crowd *replicatedtest.Crowd) error { crowd.Heal("a"); return set(*crowdTTL) },
	}
}

// stopped shuts a node down in order, and starts it again.
func (c *crowded) stopped(node int) replicatedtest.Fault {
	return replicatedtest.Fault{
		Name: fmt.Sprintf("node %d is stopped in order, and started again", node+1),
		Do:   func(*replicatedtest.Crowd) error { c.servers[node].Close(); return nil },
		Undo: func(*replicatedtest.Crowd) error {
			again, err := embedded.Start(c.servers[node].Dir(), c.servers[node].Config())
			if err == nil {
				c.servers[node] = again
				err = again.Ready(soon(c.t))
			}
			return err
		},
	}
}

// Whatever happens to the network and the nodes: no shard has two owners, no epoch comes
// again, no checkpoint goes back, no record is lost, and soon afterwards all shards are
// processed.
//
// The test does not run in parallel with others, which would take its CPU time. A long run
// is go test -run TestCrowd -duration 30m -timeout 1h.
func TestCrowd(t *testing.T) {
	c := &crowded{fleet: mortal(t, 3), t: t, proxies: map[string][]*replicatedtest.Proxy{}}
	c.cfg = natskv.Config{Group: "orders", Replicas: 3, TTL: *crowdTTL, Shards: shardset.Range("orders", 12)}
	replicatedtest.RunCrowd(t, replicatedtest.CrowdConfig{
		Shards: shardset.Range("orders", 12), TTL: *crowdTTL, Record: 20 * time.Millisecond, Dial: c.dial,
		Recovery: 3**crowdTTL + 10*time.Second, // an election, on a busy machine
	}, func(crowd *replicatedtest.Crowd) {
		crowd.Join("a", "b", "c", "d")
		for start := time.Now(); ; {
			crowd.Play(c.faults()...)
			if t.Failed() || time.Since(start) >= *crowdFor {
				return
			}
		}
	})
}
