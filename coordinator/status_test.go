package coordinator_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
)

func TestCountersPrint(t *testing.T) {
	for want, c := range map[string]coordinator.Counters{
		"nothing happened": {},
		"heartbeats 12, leases lost 1, commits failed 3": {Heartbeats: 12, LeasesLost: 1, CommitsFailed: 3},
	} {
		if got := c.String(); got != want {
			t.Errorf("%#v prints %q, want %q", c, got, want)
		}
	}
}

// limping is a group's client that may say it is degraded.
type limping struct {
	*wire
	since time.Time
	err   error
}

func (l *limping) Degraded() (time.Time, error) { return l.since, l.err }

// The status shows what of the group's client does not work, while Run runs.
func TestStatusShowsADegradedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errBlind := errors.New("no watch")
		group := &limping{wire: newWire(t, 1), since: time.Now(), err: errBlind}
		w := launch(t, "a", group, coordinator.Config{})
		time.Sleep(time.Second)
		if s := w.Status(); !errors.Is(s.Degraded, errBlind) || !s.DegradedSince.Equal(group.since) {
			t.Errorf("the status says since %v: %v", s.DegradedSince, s.Degraded)
		}
		w.end()
		if s := w.Status(); s.Degraded != nil || !s.DegradedSince.IsZero() {
			t.Errorf("when Run has ended, the status says since %v: %v", s.DegradedSince, s.Degraded)
		}
	})
}
