package replicatedtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func memoryStore(prepare func(m *Memory), wrap func(l *Link) replicated.Store) StoreConfig {
	return StoreConfig{New: func(testing.TB) Engine {
		m := NewMemory()
		if prepare != nil {
			prepare(m)
		}
		return Engine{Dial: func() (replicated.Store, error) {
			l := m.Dial("process")
			l.Set(Faults{MinLatency: time.Microsecond, MaxLatency: 20 * time.Microsecond})
			return wrap(l), nil
		}}
	}}
}

func plain(l *Link) replicated.Store   { return l }
func quiet(l *Link) replicated.Store   { return Quiet{l} }
func clocked(l *Link) replicated.Store { return NewClocked(l) }

func TestMemoryIsAStore(t *testing.T) {
	for name, cfg := range map[string]StoreConfig{
		"plain":     memoryStore(nil, plain),
		"quiet":     memoryStore(nil, quiet),
		"clocked":   memoryStore(nil, clocked),
		"compacted": memoryStore(func(m *Memory) { m.SetCompact(true) }, plain),
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Bubble = synctest.Test
			RunStore(t, cfg)
		})
	}
}

func TestMemoryIsAStoreInRealTime(t *testing.T) {
	RunStore(t, memoryStore(nil, clocked))
}
