package shardset

import "time"

// coalesce is how long a heartbeat waits for further changes. So sixteen shards that are released
// together cause one heartbeat instead of sixteen.
const coalesce = 2 * time.Millisecond

// Pacer decides when a member sends its heartbeats. One heartbeat is in flight at a time.
// Regular heartbeats leave when they are due, and one leaves at once after a change. After a
// failure the pauses grow, but never exceed the interval, so that several tries fit into one
// lease.
//
// The zero Pacer sends nothing before Wake or Answered. Like a Tracker, it belongs to one
// goroutine.
type Pacer struct {
	inFlight bool
	due      time.Time // of the regular heartbeat; zero: none
	changeAt time.Time // when the heartbeat for a change leaves; zero: there is no change
	retryAt  time.Time // when the heartbeat after a failure leaves; zero: the newest one did not fail

	pause      time.Duration // after the next failure, without the random part; zero: the first, shortest pause
	rejoining  bool          // the newest outcome was a Rejoin
	rejoinedAt time.Time     // when the member last rejoined without a pause
}

// Wake handles a change that the next heartbeat reports (Plan.Beat), or a push by the service. A
// heartbeat leaves two milliseconds later, so that changes at the same time share one heartbeat.
// During the pause after a failure, the change waits for the end of the pause. While a heartbeat
// is in flight, it waits for the outcome.
func (p *Pacer) Wake(now time.Time) {
	if p.changeAt.IsZero() {
		p.changeAt = now.Add(coalesce)
	}
}

// Sent handles a heartbeat that leaves. That heartbeat reports all changes so far.
func (p *Pacer) Sent() {
	p.inFlight, p.changeAt, p.retryAt = true, time.Time{}, time.Time{}
}

// Answered handles an accepted answer. due is the time of the next regular heartbeat, from
// Tracker.NextHeartbeat. Zero means that there is none.
func (p *Pacer) Answered(now, due time.Time) {
	p.inFlight, p.due = false, due
	if !p.changeAt.IsZero() { // the answer may cause more changes
		p.changeAt = now.Add(coalesce)
	}
	// After an eviction, one accepted answer does not end the pauses. Otherwise the pauses would
	// stay short with two unconnected servers behind one address, which answer and evict in turn.
	if !p.rejoining {
		p.pause = 0
	}
	p.rejoining = false
}

// Failed handles a heartbeat without an accepted answer. The first pause is about a tenth of the
// interval. Each further pause is twice as long, up to the interval. chance is a random number from
// 0 to 1; it makes a pause up to 50 % shorter or longer. retryAfter is the least pause that the
// service asked for, or zero. The pause never exceeds the interval.
func (p *Pacer) Failed(now time.Time, interval, retryAfter time.Duration, chance float64) {
	p.inFlight, p.rejoining = false, false
	p.retryAt = now.Add(p.nextPause(interval, retryAfter, chance))
}

// Rejoin handles a heartbeat that the service refused because the member has to join again. The
// next heartbeat leaves at once. If the member has already rejoined at once within the last
// interval, the heartbeat leaves after a pause, as after Failed.
func (p *Pacer) Rejoin(now time.Time, interval, retryAfter time.Duration, chance float64) {
	p.inFlight, p.rejoining = false, true
	if now.Sub(p.rejoinedAt) >= interval {
		p.retryAt, p.rejoinedAt = now, now
		return
	}
	p.retryAt = now.Add(p.nextPause(interval, retryAfter, chance))
}

// Next returns when the next heartbeat leaves if nothing happens before. Zero means that none
// leaves.
func (p *Pacer) Next() time.Time {
	switch {
	case p.inFlight:
		return time.Time{}
	case !p.retryAt.IsZero():
		return p.retryAt
	}
	return earliest(p.due, p.changeAt)
}

func (p *Pacer) nextPause(interval, retryAfter time.Duration, chance float64) time.Duration {
	middle := min(p.pause, interval)
	if middle == 0 {
		middle = max(interval/10, time.Millisecond)
	}
	p.pause = 2 * middle
	pause := middle/2 + time.Duration(chance*float64(middle))
	return min(max(pause, retryAfter), interval)
}
