package postgres

import (
	"sync"
	"time"
)

// clock notices that the server's clock was put forward, or that another server has taken
// over whose clock is ahead. All records look old then, although their leases may still
// last, and members would lose their shards to others. So no record counts as old until
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

// read compares a reading with the last one. It returns how long records do not count as
// old; zero or less: they do. It accepts a clock that runs faster by a thousandth, plus a
// hundredth of the age.
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
