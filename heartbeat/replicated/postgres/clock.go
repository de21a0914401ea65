package postgres

import (
	"sync"
	"time"
)

// clock notices that the server's clock was put forward, or that another server has taken
// over whose clock is ahead. All records then look old, although the members' leases may
// still last. Other members would take over their shards. So no record counts as old until
// each member has had time to write again.
//
// A process that starts after the change cannot know about it. The zero value is ready to
// use.
type clock struct {
	mu   sync.Mutex // guards the fields below
	last reading
	hold time.Time // until when no record counts as old
}

// reading is the server's time, and the times of this process's monotonic clock before and
// after it was read.
type reading struct {
	server, sent, got time.Time
}

// read compares a reading with the last one. It returns for how long no record may count
// as old; zero or less: records may count as old. It tolerates a server's clock that gains
// a thousandth of the time between the readings, plus a hundredth of the age.
func (c *clock) read(r reading, age time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.last.server.IsZero() {
		here := r.got.Sub(c.last.sent) // the most that can have passed
		ahead := r.server.Sub(c.last.server) - here
		if ahead > here/1000+age/100 {
			c.hold = r.got.Add(age)
		}
	}
	if r.got.After(c.last.got) {
		c.last = r
	}
	return c.hold.Sub(r.got)
}
