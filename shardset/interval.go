package shardset

import (
	"fmt"
	"time"
)

// MinHeartbeats is how many heartbeats must fit into one TTL, so that a lost one or two
// do not cost the lease.
const MinHeartbeats = 3

// ShortestInterval is how far the TTL of a group can shorten the interval of a member:
// a network cannot carry heartbeats that follow each other faster.
const ShortestInterval = 100 * time.Millisecond

// unsettledIntervals bounds the fast cadence: so many regular intervals after the
// last change the set counts as settled.
const unsettledIntervals = 2

// IntervalError says that this member's heartbeat interval does not fit the
// group's TTL: fewer than MinHeartbeats heartbeats fit into one lease. Accepted returns it
// for the first answer if the operator chose the interval (TrackerConfig.FirmInterval), and
// for any answer whose TTL has no room for MinHeartbeats of ShortestInterval.
type IntervalError struct {
	Interval, TTL time.Duration
}

func (e *IntervalError) Error() string {
	return fmt.Sprintf("the heartbeat interval %v is too long for the group's TTL %v: at least %d heartbeats must fit, so use %v or less",
		e.Interval, e.TTL, MinHeartbeats, e.TTL/MinHeartbeats)
}

// Interval returns the time from one regular heartbeat to the next: the configured one, or
// the same part of the newest answer's TTL if it follows that, or as much as that has room
// for.
func (t *Tracker) Interval() time.Duration { return t.interval }

// NextHeartbeat returns when the next heartbeat is due, as long as nothing happens
// before: a regular or a fast interval after the newest one left. A leaving member
// of a service without a leave call waits until its lease needs renewing. Zero
// means that no heartbeat is needed any more.
func (t *Tracker) NextHeartbeat(now time.Time) time.Time {
	switch {
	case t.leaving && t.deadline.IsZero():
		return time.Time{}
	case t.leaving && !t.cfg.CanLeave:
		renew, retry := t.deadline.Add(-t.interval), t.sentAt.Add(t.fast())
		if renew.Before(retry) {
			return retry // the last try got no answer
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

// unsettle makes the cadence fast for a while, because the set of shards has changed.
func (t *Tracker) unsettle(now time.Time) {
	t.settledAt = now.Add(unsettledIntervals * t.interval)
}

// fits reports whether this member can live with a TTL. A group with a shorter one than
// before gets more heartbeats, as long as there is a point in that.
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
