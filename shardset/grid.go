package shardset

import (
	"hash/fnv"
	"time"
)

const (
	// gridSlack is how much the heartbeats of one moment may lie apart: the offsets, the
	// members' clocks, and how late a busy machine is.
	gridSlack = 120 * time.Millisecond

	// maxGridOffset is the end of the range of offsets.
	maxGridOffset = gridSlack / 3
)

// midnight is when all grids begin.
var midnight = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// gridOffset returns how much after the moments of the grid a member's heartbeats come.
// Members have different offsets, so that their heartbeats do not all come at once.
func gridOffset(member string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(member)) // it cannot fail
	return time.Duration(h.Sum32()) % maxGridOffset
}

// grid returns when the next regular heartbeat is due, if the last one left at sent.
//
// Where nothing is pushed, a member learns of the shards that a dead one leaves behind
// from its next heartbeat after that one's lease has ended: up to a whole interval
// later, if everybody beats at moments of their own. So all beat at the same ones, by
// the wall clock, and the lease and the slack together are a whole number of them. The
// dead member's last heartbeat was at one of these moments too, so its lease ends
// within the slack in front of another, and the others ask just after it: within twice
// the slack after the end, however long the interval is.
//
// A heartbeat between those moments, because something has changed, is followed by one
// at the next. Clocks that disagree by more than the slack, or members with different
// intervals, cost what it would cost without a grid, and no more.
func grid(sent time.Time, ttl, interval, offset time.Duration) time.Time {
	cycle := ttl + gridSlack
	beats := (cycle + interval - 1) / interval // in a cycle: at least what the interval asks for
	period := cycle / beats
	into := (sent.Round(0).Sub(midnight) - offset) % period // by the wall clock
	if into < 0 {                                           // a clock that was never set
		into += period
	}
	next := sent.Add(period - into) // with the monotonic reading that sent has
	if next.Sub(sent) < min(gridSlack, period/4) {
		return next.Add(period) // the last one came a little early
	}
	return next
}
