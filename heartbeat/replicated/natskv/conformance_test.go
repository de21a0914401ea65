package natskv_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/heartbeattest"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestConformance runs the suite of all group services, in real time. Each process of a
// case is connected to the next of the servers.
func TestConformance(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		f.warm(t)
		heartbeattest.Run(t, heartbeattest.Config{
			TTL: 6 * time.Second, Slack: 4 * time.Second, // the machine may be busy
			New: f.service,
		})
	})
}

func (f *fleet) service(t testing.TB, o heartbeattest.Options) heartbeattest.Service {
	cfg := f.config()
	cfg.TTL, cfg.Shards, cfg.Ordered = o.TTL, o.Shards, o.Ordered
	var dialled atomic.Int64
	dial := func() (*replicated.Client, error) {
		cfg := cfg
		cfg.Conn = f.conns[int(dialled.Add(1))%len(f.conns)]
		c, err := natskv.New(cfg)
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
		SetShards: func(shards []shardset.Shard) error { return admin.SetShards(context.Background(), shards) },
		Delete:    func() error { return admin.Delete(context.Background()) },
	}
}
