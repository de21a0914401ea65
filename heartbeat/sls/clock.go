package sls

import (
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// guessedOffset is how far the service's clock may be from ours as long as no answer
	// has told.
	guessedOffset = 5 * time.Second

	// offsetMargin is added to what the answers tell: the service is many machines, and a
	// step of less than a second may take some answers to be seen.
	offsetMargin = time.Second

	// logOffset is a difference of the clocks that people should know of, and
	// logEvery how often they are told of changes.
	logOffset = time.Second
	logEvery  = time.Minute
)

// offset is by how much the service's clock is ahead of ours: at least and at most. It
// is pure. Each answer was dated at some moment between its request and its arrival, in
// whole seconds, so it says so much to about a second; together they say it to about a
// round trip. An answer that contradicts the others shows that a clock was set: it counts
// alone from then on.
type offset struct {
	known       bool
	least, most time.Duration

	logged   time.Duration // what people were told last; zero: that all is well
	loggedAt time.Time
}

// observe takes an answer with that Date to a request that left and came by our clock.
func (o *offset) observe(sent, received, date time.Time) {
	// Without their monotonic readings, which do not follow a clock that is set.
	least, most := date.Sub(received.Round(0)), date.Add(time.Second).Sub(sent.Round(0))
	if least > most {
		return // ours was set back meanwhile
	}
	if l, m := max(least, o.least), min(most, o.most); o.known && l <= m {
		least, most = l, m
	}
	o.known, o.least, o.most = true, least, most
}

// bounds returns the least and the most that the service's clock is ahead.
func (o *offset) bounds() (least, most time.Duration) {
	if !o.known {
		return -guessedOffset, guessedOffset
	}
	return o.least - offsetMargin, o.most + offsetMargin
}

// shouldLog reports whether people should hear of a difference of the clocks: one that is
// certain to be large, and is not the one that they have heard of.
func (o *offset) shouldLog(now time.Time) (ahead time.Duration, tell bool) {
	ahead = o.least + (o.most-o.least)/2
	switch {
	case o.least <= 0 && o.most >= 0:
		o.logged = 0
		return ahead, false
	case o.least <= logOffset && o.most >= -logOffset, (ahead - o.logged).Abs() <= logOffset,
		!o.loggedAt.IsZero() && now.Sub(o.loggedAt) < logEvery:
		return ahead, false
	}
	o.logged, o.loggedAt = ahead, now
	return ahead, true
}

// clock is the offset of a client.
type clock struct {
	mu     sync.Mutex // guards the field below; held for a few comparisons
	offset offset
}

// ClockOffset returns how far the service's clock is ahead of this machine's, negative if
// it is behind: at least and at most. It comes from the Date headers of the service's
// answers and follows clocks that are set; before the first answer it is a guess of five
// seconds either way. Times by which the service decides, when a log was received for
// instance, are to be compared with ours by it.
func (c *Client) ClockOffset() (least, most time.Duration) {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return c.clock.offset.bounds()
}

// observeClock learns from the Date of one of the service's answers, if it is fresh.
func (c *Client) observeClock(sent, received time.Time, h http.Header) {
	if h.Get("Age") != "" {
		return
	}
	date, err := http.ParseTime(h.Get(headerDate))
	if err != nil {
		return
	}
	c.clock.mu.Lock()
	c.clock.offset.observe(sent, received, date)
	ahead, tell := c.clock.offset.shouldLog(received)
	c.clock.mu.Unlock()
	if tell {
		c.cfg.Logger.Warn("the service's clock differs from this machine's: times are compared by the service's; mend this machine's time service",
			zap.Duration("service_ahead", ahead.Round(100*time.Millisecond)))
	}
}
