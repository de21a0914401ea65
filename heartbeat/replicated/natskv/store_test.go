package natskv_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
)

// TestStore runs the suite of all stores. Each process of a case is connected to the next
// of the servers.
func TestStore(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		replicatedtest.RunStore(t, replicatedtest.StoreConfig{
			Patience: 20 * time.Second,
			New: func(t testing.TB) replicatedtest.Engine {
				cfg := f.config()
				var dialled atomic.Int64
				return replicatedtest.Engine{Dial: func() (replicated.Store, error) {
					cfg := cfg
					cfg.Conn = f.conns[int(dialled.Add(1))%len(f.conns)]
					return natskv.NewStore(cfg)
				}}
			},
		})
	})
}
