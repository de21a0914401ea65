package coordinator_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

// nameless is a group service that knows no epochs and no instances, as Simple Log Service.
type nameless struct{ heartbeat.Client }

func (n nameless) Info() heartbeat.Info {
	i := n.Client.Info()
	i.Guarantees = heartbeat.Guarantees{}
	return i
}

// anybody is a store that takes every save.
type anybody struct {
	mu sync.Mutex
	at processor.Position
}

func (a *anybody) Load(context.Context, processor.Owner) (processor.Position, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at, a.at != "", nil
}

func (a *anybody) Save(_ context.Context, _ processor.Owner, p processor.Position) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = p
	return nil
}

// Two workers of one name, where the service cannot tell them apart, are told by their
// checkpoints.
func TestTwoWorkersOfOneNameAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.WarnLevel)
		store := &anybody{}
		work := func(pace time.Duration) processor.Factory {
			return processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
				for n := 0; ; n++ {
					if err := s.Commit(ctx, processor.Position(fmt.Sprint(pace, n))); err != nil {
						return err
					}
					select {
					case <-s.Revoked():
						return nil
					case <-time.After(pace):
					}
				}
			})
		}
		a := launch(t, "same", nameless{newWire(t, 1)}, coordinator.Config{Checkpoints: store, Logger: zap.New(core), Processor: work(2 * time.Second)})
		time.Sleep(time.Minute)
		if n := seen.Len(); n != 0 {
			t.Errorf("%d warnings with one worker: %v", n, seen.All())
		}
		b := launch(t, "same", nameless{newWire(t, 1)}, coordinator.Config{Checkpoints: store, Processor: work(3 * time.Second)})
		time.Sleep(10 * time.Minute)
		lines := seen.All()
		if len(lines) != 1 || lines[0].ContextMap()["member"] != "same" || !strings.Contains(lines[0].Message, "MemberSuffix") {
			t.Errorf("logged %v, want one warning that names the member and the cure", lines)
		}
		a.end()
		b.end()
	})
}
