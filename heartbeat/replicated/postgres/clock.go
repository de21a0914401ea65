package postgres

import (
	"sync"
	"time"
)

// clock notices that the server's clock was put forward, or that another server with a
// clock of its own has taken over. All records look old then, those of members too whose
// leases still run, and the verdicts would give their shards to others. So nobody is
// overdue until each record has had the time to be written by the new clock.
//
// A process that starts after that cannot know. The zero value has read nothing yet.
type clock struct {
	mu   sync.Mutex // guards the fields below
	last reading
	hold time.Time // until when nobody is overdue
}

// reading is the server's time, read between two moments of this process's monotonic
// clock.
type reading struct {
	server, sent, got time.Time
}

// read compares a reading with the last one and returns how much longer nobody is
// overdue; zero or less: judge. Clocks that are a thousandth apart in speed are not
// suspicious, nor is a hundredth of the age.
func (c *clock) read(r reading, age time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.last.server.IsZero() {
		here := r.got.Sub(c.last.sent) // at most
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
