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

// gridStart is when all grids begin.
var gridStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// gridOffset returns how much after the moments of the grid a member's heartbeats come.
// Members have different offsets, so that their heartbeats do not all come at once.
func gridOffset(member string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(member)) // it cannot fail
	return time.Duration(h.Sum32()) % maxGridOffset
}

// grid returns when the next regular heartbeat is due, if the last one left at sent.
//
// A service that does not push gives the shards of an expired member away with the answers
// to the other members' next heartbeats. If every member had moments of its own, these
// could come a whole interval after the lease has ended. So all members send their regular
// heartbeats at the same moments of the wall clock, and TTL plus gridSlack is a
// whole number of their distances. The last heartbeat of the expired member left at such a
// moment too. So its lease ends at most gridSlack before another one, and the other members
// ask just after that: within twice gridSlack after the end, however long the interval is.
//
// After a heartbeat between those moments, because something has changed, the next one
// follows at the next moment. If clocks disagree by more than gridSlack, or members have
// different intervals, a takeover takes as long as without a grid.
func grid(sent time.Time, ttl, interval, offset time.Duration) time.Time {
	cycle := ttl + gridSlack
	heartbeats := (cycle + interval - 1) / interval // in a cycle: at least what the interval asks for
	period := cycle / heartbeats
	elapsed := (sent.Round(0).Sub(gridStart) - offset) % period // by the wall clock
	if elapsed < 0 {                                            // a clock that was never set
		elapsed += period
	}
	next := sent.Add(period - elapsed) // with the monotonic reading that sent has
	if next.Sub(sent) < min(gridSlack, period/4) {
		return next.Add(period) // the last one came a little early
	}
	return next
}
