package shardset

import (
	"hash/fnv"
	"time"
)

const (
	// gridSlack is the longest time between the first and the last heartbeat of one grid point.
	// It covers the offsets, the differences of the members' clocks, and delays of busy machines.
	gridSlack = 120 * time.Millisecond

	// maxGridOffset bounds the offsets.
	maxGridOffset = gridSlack / 3
)

// gridStart is the first point of every grid.
var gridStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// gridOffset returns how long after each grid point a member sends its heartbeat. Members have
// different offsets, so that their heartbeats do not arrive all at once.
func gridOffset(member string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(member)) // it cannot fail
	return time.Duration(h.Sum32()) % maxGridOffset
}

// grid returns when the next regular heartbeat is due, if the last one left at sent. All members
// send their regular heartbeats at the same points of the wall clock, the grid.
//
// A service that does not push grants the shards of an expired member with its next answers to the
// other members. Without a grid, these answers could come a whole interval after the lease has
// ended. On the grid, TTL plus gridSlack is a whole number of periods. The expired member's last
// heartbeat left at a grid point, so its lease ends at most gridSlack before another one. The other
// members send their heartbeats just after that point. So a takeover starts within twice gridSlack
// after the end of the lease, however long the interval is.
//
// A change makes a heartbeat leave between two grid points. The next one then leaves at the next
// grid point. If clocks differ by more than gridSlack, or members have different intervals, a
// takeover takes as long as without a grid.
func grid(sent time.Time, ttl, interval, offset time.Duration) time.Time {
	cycle := ttl + gridSlack
	heartbeats := (cycle + interval - 1) / interval // in a cycle, rounded up so that no period exceeds the interval
	period := cycle / heartbeats
	elapsed := (sent.Round(0).Sub(gridStart) - offset) % period // by the wall clock
	if elapsed < 0 {                                            // the clock was never set
		elapsed += period
	}
	next := sent.Add(period - elapsed) // keeps the monotonic reading of sent
	if next.Sub(sent) < min(gridSlack, period/4) {
		return next.Add(period) // the last one came a little early
	}
	return next
}
