package slslog_test

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// A node that lags says for a moment that a cursor is none of the shard's. Whatever the
// policy is, nothing is skipped or halted because of that.
func TestACursorThatIsRefusedForAMoment(t *testing.T) {
	for name, at := range map[string]batch.Initial{
		"no policy": {}, "earliest": batch.Earliest(), "latest": batch.Latest(), "a time": batch.At(time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)),
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				w := p.work("a", func(s *peerSetup) { s.batch.Expired = at })
				p.stream(5*time.Second, 100*time.Millisecond, "")
				for range 3 {
					p.fault(slsserver.Fault{Op: "PullLogs", Times: 2, Status: 400, Code: "InvalidCursor"})
					p.stream(5*time.Second, 100*time.Millisecond, "")
				}
				p.done(10 * time.Second)
				if n := w.Status().Counters.Gaps; n != 0 || len(p.missing("")) != 0 {
					t.Errorf("%d gaps were reported, and %v were not handled", n, p.missing(""))
				}
			})
		})
	}
}
