package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/heartbeattest"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
)

func conformance(ttl time.Duration) heartbeattest.Config {
	return heartbeattest.Config{TTL: ttl, New: func(t testing.TB, o heartbeattest.Options) heartbeattest.Service {
		s, err := memory.New(memory.Config{TTL: o.TTL, Ordered: o.Ordered})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetShards(o.Shards); err != nil {
			t.Fatal(err)
		}
		return heartbeattest.Service{
			Dial:      func() (heartbeat.Client, processor.Checkpoints, error) { return s, s, nil },
			SetShards: s.SetShards,
			Delete:    func() error { s.Delete(); return nil },
		}
	}}
}

func TestConformance(t *testing.T) {
	cfg := conformance(6 * time.Second)
	cfg.Slack = time.Second
	cfg.Bubble = synctest.Test
	heartbeattest.Run(t, cfg)
}

func TestConformanceInRealTime(t *testing.T) {
	cfg := conformance(2 * time.Second)
	cfg.Slack = time.Second // the machine may be busy
	heartbeattest.Run(t, cfg)
}
