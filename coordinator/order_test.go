package coordinator_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// orderly is a service with a group that the test sets to be ordered or not.
type orderly struct {
	*wire
	ordered atomic.Bool
}

func (o *orderly) Info() heartbeat.Info {
	info := o.wire.Info()
	info.Guarantees.Ordered = o.ordered.Load()
	return info
}

// An order that is required is the group's, not the one that a client is configured
// with: New cannot tell, the first answer can, and so can a later one.
func TestRequiredOrderIsTheGroups(t *testing.T) {
	require := heartbeat.Guarantees{Ordered: true}
	for _, c := range []struct {
		name                            string
		configured, ordered, afterwards bool
		shards                          int // that are started
	}{
		{"never", false, false, false, 0},
		{"only as configured", true, false, false, 0},
		{"only as it is", false, true, true, 2},
		{"no more", true, true, false, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &orderly{wire: newWire(t, 2)}
			o.ordered.Store(c.configured)
			first := true
			o.setFault(func(context.Context, shardset.Heartbeat) error {
				if first { // what the group is comes with an answer
					o.ordered.Store(c.ordered)
				}
				first = false
				return nil
			})
			w := launch(t, "a", o, coordinator.Config{Require: require})
			time.Sleep(time.Minute)
			if s := w.Status(); c.ordered && (s.State != coordinator.StateRunning || !s.Guarantees.Ordered) {
				t.Errorf("%s: the status is %+v", c.name, s)
			}
			o.ordered.Store(c.afterwards)
			time.Sleep(time.Minute)
			_, err := w.end()
			if want := !c.afterwards; errors.Is(err, coordinator.ErrNotOrdered) != want || !want && err != nil {
				t.Errorf("%s: Run returned %v", c.name, err)
			}
			for _, event := range []string{"assigned", "started"} {
				if got := len(w.heard(event)); got != c.shards {
					t.Errorf("%s: %d shards were %s, want %d", c.name, got, event, c.shards)
				}
			}
			if got := len(w.heard("cancelled")); got != 0 {
				t.Errorf("%s: %d shards were cancelled, want them drained", c.name, got)
			}
			if s := w.Status(); s.Guarantees.Ordered != c.afterwards {
				t.Errorf("%s: at last the status says %s", c.name, s.Guarantees)
			}
		})
	}
}
