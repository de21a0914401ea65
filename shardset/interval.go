package shardset

import (
	"fmt"
	"time"
)

// MinHeartbeats is how many heartbeats must fit into one TTL. So a member that loses one or two
// of them keeps its lease.
const MinHeartbeats = 3

// ShortestInterval is the shortest interval that a member takes because of a short TTL. A shorter
// one would leave too little time for a round trip.
const ShortestInterval = 100 * time.Millisecond

// unsettledIntervals is for how many regular intervals heartbeats are fast after a change.
const unsettledIntervals = 2

// IntervalError says that the member's heartbeat interval is too long for the group's TTL: fewer
// than MinHeartbeats heartbeats fit. Accepted returns it for the first answer if the user set the
// interval (TrackerConfig.FirmInterval). It also returns it if the TTL would shorten the interval
// below ShortestInterval.
type IntervalError struct {
	Interval, TTL time.Duration
}

func (e *IntervalError) Error() string {
	return fmt.Sprintf("the heartbeat interval %v is too long for the group's TTL %v: at least %d heartbeats must fit, so use %v or less",
		e.Interval, e.TTL, MinHeartbeats, e.TTL/MinHeartbeats)
}

// Interval returns the time from one regular heartbeat to the next. It is TrackerConfig.Interval;
// with TrackerConfig.FollowTTL, it changes in proportion to the group's TTL. It is never longer
// than the TTL divided by MinHeartbeats.
func (t *Tracker) Interval() time.Duration { return t.interval }

// NextHeartbeat returns when the next heartbeat is due if nothing happens before. That is a regular
// or a fast interval after the newest one left, or the next point of the grid. If the service has
// no leave call, a leaving member waits until it must renew its lease. Zero means that no more
// heartbeat is needed.
func (t *Tracker) NextHeartbeat(now time.Time) time.Time {
	switch {
	case t.leaving && t.deadline.IsZero():
		return time.Time{}
	case t.leaving && !t.cfg.CanLeave:
		renew, retry := t.deadline.Add(-t.interval), t.sentAt.Add(t.fast())
		if renew.Before(retry) {
			return retry // the last heartbeat got no answer
		}
		return renew
	case now.Before(t.settledAt):
		return t.sentAt.Add(t.fast())
	}
	if t.cfg.Grid && t.ttl > 0 {
		return grid(t.sentAt, t.ttl, t.interval, t.gridOffset)
	}
	return t.sentAt.Add(t.interval)
}

func (t *Tracker) fast() time.Duration { return min(t.cfg.Fast, t.interval) }

// unsettle makes heartbeats fast for a while, because the set of shards has changed.
func (t *Tracker) unsettle(now time.Time) {
	t.settledAt = now.Add(unsettledIntervals * t.interval)
}

// fits reports whether enough heartbeats fit into a TTL. If a group's TTL becomes shorter, the
// member shortens its interval, but not below ShortestInterval.
func (t *Tracker) fits(ttl time.Duration) bool {
	switch longest := ttl / MinHeartbeats; {
	case t.cfg.Interval <= longest:
		return true
	case t.cfg.FirmInterval && !t.joined:
		return false
	default:
		return longest >= ShortestInterval
	}
}

// intervalFor returns the time between regular heartbeats in a group with this TTL.
func (t *Tracker) intervalFor(ttl time.Duration) time.Duration {
	interval := t.cfg.Interval
	if t.cfg.FollowTTL {
		part := float64(interval) / float64(t.cfg.TTL)
		interval = max(time.Duration(part*float64(ttl)), min(interval, ShortestInterval))
	}
	return min(interval, ttl/MinHeartbeats)
}
