package memstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
)

func suite(prepare func(m *memstore.Store), wrap func(l *memstore.Link) replicated.Store) replicatedtest.StoreConfig {
	return replicatedtest.StoreConfig{New: func(testing.TB) replicatedtest.Engine {
		m := memstore.New()
		if prepare != nil {
			prepare(m)
		}
		return replicatedtest.Engine{Dial: func() (replicated.Store, error) {
			l := m.Dial("process")
			l.Set(memstore.Faults{MinLatency: time.Microsecond, MaxLatency: 20 * time.Microsecond})
			return wrap(l), nil
		}}
	}}
}

func plain(l *memstore.Link) replicated.Store   { return l }
func clocked(l *memstore.Link) replicated.Store { return memstore.Clocked{Link: l} }

func TestSuite(t *testing.T) {
	for name, cfg := range map[string]replicatedtest.StoreConfig{
		"plain":     suite(nil, plain),
		"clocked":   suite(nil, clocked),
		"compacted": suite(func(m *memstore.Store) { m.SetCompact(true) }, plain),
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Bubble = synctest.Test
			replicatedtest.RunStore(t, cfg)
		})
	}
}

func TestSuiteInRealTime(t *testing.T) {
	replicatedtest.RunStore(t, suite(nil, clocked))
}
