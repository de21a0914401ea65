package sls

import (
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// guessedOffset bounds the difference of the clocks before the first answer.
	guessedOffset = 5 * time.Second

	// offsetMargin widens the bounds for two reasons: the clocks of the service's machines differ,
	// and if a clock is set by less than a second, the client notices it only after some answers.
	offsetMargin = time.Second

	// The client logs a difference of the clocks above logOffset, at most once in logEvery.
	logOffset = time.Second
	logEvery  = time.Minute
)

// offset bounds by how much the service's clock is ahead of this machine's: at least and at most.
// Its callers pass the times and hold the lock. The Date of an answer is a time between the request
// and the arrival, in whole seconds. So one answer gives the offset with an error of about a
// second, and many answers reduce the error to about a round trip. An answer that contradicts the
// earlier ones shows that a clock was set, so offset forgets the earlier ones.
type offset struct {
	known       bool
	least, most time.Duration

	logged   time.Duration // the difference in the last log line; zero: no line since the clocks agreed
	loggedAt time.Time
}

// observe narrows the bounds with the Date of an answer. The times sent and received are by this
// machine's clock.
func (o *offset) observe(sent, received, date time.Time) {
	// Round(0) removes the monotonic reading, which does not change when someone sets the clock.
	least, most := date.Sub(received.Round(0)), date.Add(time.Second).Sub(sent.Round(0))
	if least > most {
		return // this machine's clock was set back meanwhile
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

// shouldLog reports whether to log the difference of the clocks: it certainly exceeds logOffset, it
// differs from the last one in the log by more than logOffset, and the last log line is at least
// logEvery old.
func (o *offset) shouldLog(now time.Time) (ahead time.Duration, ok bool) {
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

// ClockOffset returns by how much the service's clock is ahead of this machine's: at least and at
// most, negative if it is behind. Add the offset to this machine's time to get the service's time,
// which dates received logs. The client measures the offset from the Date headers of the answers,
// and notices when a clock is set. Before the first answer the bounds are -5 s and 5 s.
func (c *Client) ClockOffset() (least, most time.Duration) {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return c.clock.offset.bounds()
}

// observeClock uses the Date of an answer of the service, unless the answer comes from a cache.
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
	ahead, warn := c.clock.offset.shouldLog(received)
	c.clock.mu.Unlock()
	if warn {
		c.cfg.Logger.Warn("the service's clock differs from this machine's; the client allows for it; check this machine's time service",
			zap.Duration("service_ahead", ahead.Round(100*time.Millisecond)))
	}
}
