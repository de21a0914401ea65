package shardset

import "time"

// coalesce is how long news waits for more of it, so that sixteen shards that are released
// together make one heartbeat and not sixteen.
const coalesce = 2 * time.Millisecond

// Pacer decides when a member sends its heartbeats: the regular ones when they are due, one
// at once when there is news, and after a failure with pauses that grow and never exceed the
// interval, so that several tries fit into one lease. One heartbeat is in flight at a time.
//
// The zero Pacer has nothing to send until Wake or Answered. Like a Tracker it belongs to one
// goroutine.
type Pacer struct {
	inFlight bool
	due      time.Time // of the regular heartbeat; zero: none
	newsAt   time.Time // when the news has to leave; zero: there is none
	retryAt  time.Time // after a failure, until the next heartbeat leaves; zero: the newest one was answered

	pause      time.Duration // the middle of the next pause; zero: a first one
	rejoining  bool          // the newest outcome was a Rejoin
	rejoinedAt time.Time     // when the member last rejoined without a pause
}

// Wake is the event of news at now: Plan.Beat, or a push by the service. The heartbeat leaves
// a few milliseconds later, so that news that comes together makes one heartbeat. During
// the pause after a failure the news waits for the end of the pause, and while a heartbeat is
// in flight for its outcome.
func (p *Pacer) Wake(now time.Time) {
	if p.newsAt.IsZero() {
		p.newsAt = now.Add(coalesce)
	}
}

// Sent is the event of a heartbeat leaving. It carries all news so far.
func (p *Pacer) Sent() {
	p.inFlight, p.newsAt, p.retryAt = true, time.Time{}, time.Time{}
}

// Answered is the event of an answer that the member accepted. The next regular heartbeat is
// due at that time; zero means not at all.
func (p *Pacer) Answered(now, due time.Time) {
	p.inFlight, p.due = false, due
	if !p.newsAt.IsZero() { // the answer may bring more
		p.newsAt = now.Add(coalesce)
	}
	// One good answer after an eviction is no recovery yet: a service of two halves that
	// do not know each other gives just that, between evictions.
	if !p.rejoining {
		p.pause = 0
	}
	p.rejoining = false
}

// Failed is the event of a heartbeat that did not do its work. The pause before the next one
// is a tenth of the interval at first and doubles each time, up to the interval. Half of it is
// random: chance is from 0 to 1. The service may want to be left alone for longer, retryAfter;
// the interval bounds that too.
func (p *Pacer) Failed(now time.Time, interval, retryAfter time.Duration, chance float64) {
	p.inFlight, p.rejoining = false, false
	p.retryAt = now.Add(p.nextPause(interval, retryAfter, chance))
}

// Rejoin is the event of a heartbeat that was refused because the member has to join again.
// It does so at once, but not more than once in an interval; otherwise after a pause, as
// after Failed.
func (p *Pacer) Rejoin(now time.Time, interval, retryAfter time.Duration, chance float64) {
	p.inFlight, p.rejoining = false, true
	if now.Sub(p.rejoinedAt) >= interval {
		p.retryAt, p.rejoinedAt = now, now
		return
	}
	p.retryAt = now.Add(p.nextPause(interval, retryAfter, chance))
}

// Next returns when the next heartbeat leaves if nothing happens before. Zero means not at
// all.
func (p *Pacer) Next() time.Time {
	switch {
	case p.inFlight:
		return time.Time{}
	case !p.retryAt.IsZero():
		return p.retryAt
	}
	return earliest(p.due, p.newsAt)
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
