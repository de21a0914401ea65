package coordinator_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// gateCore is the core of a logger whose Enabled hangs from hung until open is closed.
type gateCore struct {
	zapcore.Core
	hung *atomic.Bool
	open chan struct{}
}

func (g gateCore) With(f []zapcore.Field) zapcore.Core {
	return gateCore{g.Core.With(f), g.hung, g.open}
}
func (g gateCore) Enabled(l zapcore.Level) bool {
	if g.hung.Load() {
		<-g.open
	}
	return true
}
func (g gateCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry { return ce }

// A logger's levels are user code: the owner does not call it.
func TestLevelThatHangsDelaysNoHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 1)
		g := gateCore{zapcore.NewNopCore(), new(atomic.Bool), make(chan struct{})}
		w := launch(t, "a", wire, coordinator.Config{Logger: zap.New(g)})
		time.Sleep(10 * time.Second)
		g.hung.Store(true)
		if err := wire.SetShards(shardset.Range("log", 2)); err != nil {
			t.Fatal(err)
		}
		before := len(wire.beatTimes())
		time.Sleep(20 * time.Second)
		if n := len(wire.beatTimes()) - before; n < 8 {
			t.Errorf("%d heartbeats in 20s while the logger hangs", n)
		}
		close(g.open)
		w.end()
	})
}

// nosy is an error that asks for the worker's status when somebody looks for a type in it.
type nosy struct{ w **worker }

func (nosy) Error() string { return "nosy" }
func (n nosy) As(any) bool { (*n.w).Status(); return false }

// An error's methods are user code: no lock of the worker is held over them.
func TestErrorThatAsksForTheStatus(t *testing.T) {
	var w *worker
	launched, failed := make(chan struct{}), make(chan struct{}, 1)
	fail := func(context.Context, *processor.Shard) error {
		<-launched
		return nosy{&w}
	}
	w = launch(t, "a", newWire(t, 1), coordinator.Config{Processor: processor.FromFunc(fail), Hooks: coordinator.Hooks{
		Failed: func(coordinator.ShardEvent) {
			select {
			case failed <- struct{}{}:
			default:
			}
		},
	}})
	close(launched)
	select {
	case <-failed:
	case <-time.After(10 * time.Second):
		t.Fatal("the failure is not reported: the error's method waits for a lock of the worker")
	}
	w.end()
}

func TestMemberHookSaysThatTheGroupIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lost{wire: newWire(t, 2)}
		var mu sync.Mutex
		var events []coordinator.MemberEvent
		w := launch(t, "a", l, coordinator.Config{CreateGroup: true, Hooks: coordinator.Hooks{Member: func(e coordinator.MemberEvent) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}}})
		time.Sleep(5 * time.Second)
		l.Delete()
		time.Sleep(10 * time.Second)
		w.end()
		for i, e := range events {
			if i > 0 && e.State == coordinator.StateJoining && e.Err == nil {
				t.Error("the lease was lost because the group is gone, and the event has no error")
			}
		}
	})
}
