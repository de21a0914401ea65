package shardset

import "time"

// coalesce is how long a heartbeat waits for further changes, so that sixteen shards that are
// released together make one heartbeat instead of sixteen.
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
	changeAt time.Time // when the heartbeat for a change leaves; zero: nothing changed
	retryAt  time.Time // after a failure, until the next heartbeat leaves; zero: the newest one was answered

	pause      time.Duration // the middle of the next pause; zero: a first one
	rejoining  bool          // the newest outcome was a Rejoin
	rejoinedAt time.Time     // when the member last rejoined without a pause
}

// Wake is the event of a change that the next heartbeat has to report (Plan.Beat), or of a push
// by the service. A heartbeat leaves two milliseconds later, so that changes that come together
// make one heartbeat. A change during the pause after a failure waits for the end of the pause.
// A change while a heartbeat is in flight waits for its outcome.
func (p *Pacer) Wake(now time.Time) {
	if p.changeAt.IsZero() {
		p.changeAt = now.Add(coalesce)
	}
}

// Sent is the event of a heartbeat leaving. It reports all changes so far.
func (p *Pacer) Sent() {
	p.inFlight, p.changeAt, p.retryAt = true, time.Time{}, time.Time{}
}

// Answered is the event of an answer that the member accepted. due is the time of the next
// regular heartbeat (Tracker.NextHeartbeat). Zero: there is none.
func (p *Pacer) Answered(now, due time.Time) {
	p.inFlight, p.due = false, due
	if !p.changeAt.IsZero() { // the answer may cause more changes
		p.changeAt = now.Add(coalesce)
	}
	// One good answer after an eviction is no recovery yet: two servers behind one address
	// that do not know each other answer and evict in turn.
	if !p.rejoining {
		p.pause = 0
	}
	p.rejoining = false
}

// Failed is the event of a heartbeat without an answer that the member accepted. The first pause
// is about a tenth of the interval, and each further one is twice as long, up to the interval.
// chance, a random number from 0 to 1, makes a pause up to half shorter or longer. If the
// service asks for a longer pause, that is retryAfter; the interval bounds it too.
func (p *Pacer) Failed(now time.Time, interval, retryAfter time.Duration, chance float64) {
	p.inFlight, p.rejoining = false, false
	p.retryAt = now.Add(p.nextPause(interval, retryAfter, chance))
}

// Rejoin is the event of a heartbeat that the service refused because the member has to join
// again. The next heartbeat leaves at once, but only once in an interval; otherwise after a
// pause, as after Failed.
func (p *Pacer) Rejoin(now time.Time, interval, retryAfter time.Duration, chance float64) {
	p.inFlight, p.rejoining = false, true
	if now.Sub(p.rejoinedAt) >= interval {
		p.retryAt, p.rejoinedAt = now, now
		return
	}
	p.retryAt = now.Add(p.nextPause(interval, retryAfter, chance))
}

// Next returns when the next heartbeat leaves if nothing happens before. Zero: none does.
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
