package replicated_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/heartbeattest"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// engine is what a kind of store looks like to its clients.
type engine struct {
	name string
	wrap func(l *memstore.Link) replicated.Store
	// faults are those of every link; latencies of 1 to 3 ms are added.
	faults  memstore.Faults
	compact bool
}

// engines are those that keep every promise of a Store.
func engines() []engine {
	plain := func(l *memstore.Link) replicated.Store { return l }
	clocked := func(l *memstore.Link) replicated.Store { return memstore.Clocked{Link: l} }
	return []engine{
		{name: "plain", wrap: plain},
		{name: "compacting", wrap: plain, compact: true},
		{name: "clocked", wrap: clocked},
	}
}

// clients are those of one bubble, which have to be closed in it.
type clients struct {
	mu   sync.Mutex
	list []*replicated.Client
}

func (c *clients) add(client *replicated.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, client)
}

func (c *clients) close() {
	c.mu.Lock()
	list := c.list
	c.list = nil
	c.mu.Unlock()
	for _, client := range list {
		client.Close()
	}
}

func TestConformance(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			var all clients // cases run one after the other
			heartbeattest.Run(t, heartbeattest.Config{
				TTL: 6 * time.Second, Slack: time.Second,
				New: func(t testing.TB, o heartbeattest.Options) heartbeattest.Service { return e.service(t, &all, o) },
				Bubble: func(t *testing.T, run func(t *testing.T)) {
					synctest.Test(t, func(t *testing.T) {
						defer all.close()
						run(t)
					})
				},
			})
		})
	}
}

// service makes a group. Each process has a client and a link of its own.
func (e engine) service(t testing.TB, all *clients, o heartbeattest.Options) heartbeattest.Service {
	m := memstore.New()
	m.SetCompact(e.compact)
	dial := func() (*replicated.Client, error) {
		l := m.Dial("process")
		l.Set(e.link())
		c, err := replicated.New(e.wrap(l), replicated.Config{Group: "orders", TTL: o.TTL, Shards: o.Shards, Ordered: o.Ordered})
		if err == nil {
			all.add(c)
		}
		return c, err
	}
	admin, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	return heartbeattest.Service{
		Dial:      func() (heartbeat.Client, processor.Checkpoints, error) { c, err := dial(); return c, c, err },
		SetShards: func(shards []shardset.Shard) error { return admin.SetShards(context.Background(), shards) },
		Delete:    func() error { return admin.Delete(context.Background()) },
	}
}

// link returns the faults of a link that is as good as this engine's are.
func (e engine) link() memstore.Faults {
	f := e.faults
	f.MinLatency, f.MaxLatency = time.Millisecond, 3*time.Millisecond
	return f
}
