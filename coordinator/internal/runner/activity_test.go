package runner

import (
	"testing"
	"time"
)

func TestStall(t *testing.T) {
	begin := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
	call := func(minutes int) *activity { return &activity{lastSign: at(minutes)} }
	older, newer := call(3), call(8)
	for name, c := range map[string]struct {
		w     watch
		since time.Time // zero: no stall
		call  *activity
	}{
		"nothing runs":                     {w: watch{lastSign: at(0)}},
		"no sign of Process":               {watch{working: true, lastSign: at(5)}, at(5), nil},
		"a sign":                           {w: watch{working: true, lastSign: at(6)}},
		"idle, it says":                    {w: watch{working: true, caughtUp: true, lastSign: at(0)}},
		"tracked, and nothing under way":   {w: watch{working: true, tracked: true, lastSign: at(0)}},
		"a call that is younger":           {w: watch{working: true, tracked: true, lastSign: at(0), calls: []*activity{newer}}},
		"a call":                           {watch{working: true, tracked: true, lastSign: at(9), calls: []*activity{older}}, at(3), older},
		"the oldest call counts":           {watch{working: true, tracked: true, calls: []*activity{newer, older}}, at(3), older},
		"a call of one that is caught up":  {watch{working: true, caughtUp: true, calls: []*activity{older}}, at(3), older},
		"a call before Process":            {watch{calls: []*activity{older}}, at(3), older},
		"its commit is under way":          {w: watch{working: true, lastSign: at(0), calls: []*activity{newer}}},
		"its commit is under way for long": {watch{working: true, lastSign: at(0), calls: []*activity{older}}, at(3), older},
	} {
		t.Run(name, func(t *testing.T) {
			since, call, stalled := c.w.stall(at(10), 5*time.Minute)
			if !since.Equal(c.since) || call != c.call || stalled != !c.since.IsZero() {
				t.Errorf("stall says %v since %v, call %p; want since %v, call %p", stalled, since, call, c.since, c.call)
			}
		})
	}
}
