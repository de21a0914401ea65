package postgres

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/heartbeattest"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func TestStoreSuite(t *testing.T) {
	needServer(t)
	t.Parallel()
	replicatedtest.RunStore(t, replicatedtest.StoreConfig{New: func(t testing.TB) replicatedtest.Engine {
		seat(t)
		cfg := groupConfig(t)
		return replicatedtest.Engine{Dial: func() (replicated.Store, error) { return NewStore(cfg) }}
	}})
}

// It runs while no other test does, because it is about time.
func TestConformance(t *testing.T) {
	needServer(t)
	heartbeattest.Run(t, heartbeattest.Config{TTL: 3 * time.Second, Slack: 2 * time.Second, New: newService})
}

// seats bounds how many cases run at once. Each of their processes holds a connection
// that listens, and the server takes a hundred.
var seats = make(chan struct{}, 10)

// seat waits for a seat, and returns it at the end of the case.
func seat(t testing.TB) {
	seats <- struct{}{}
	t.Cleanup(func() { <-seats })
}

// newService creates a group. Each process has its own client.
func newService(t testing.TB, o heartbeattest.Options) heartbeattest.Service {
	seat(t)
	cfg := groupConfig(t)
	cfg.TTL, cfg.Shards, cfg.Ordered = o.TTL, o.Shards, o.Ordered
	dial := func() (*replicated.Client, error) {
		c, err := New(cfg)
		if err == nil {
			t.Cleanup(c.Close)
		}
		return c, err
	}
	admin, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	return heartbeattest.Service{
		Dial:      func() (heartbeat.Client, processor.Checkpoints, error) { c, err := dial(); return c, c, err },
		SetShards: func(shards []shardset.Shard) error { return admin.SetShards(t.Context(), shards) },
		Delete:    func() error { return admin.Delete(t.Context()) },
	}
}
