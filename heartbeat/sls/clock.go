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

	// offsetMargin widens the bounds that the answers give: the service has many machines, and
	// it may take some answers to see that a clock was set by less than a second.
	offsetMargin = time.Second

	// logOffset is the difference of the clocks above which the client logs it, at most once in
	// logEvery.
	logOffset = time.Second
	logEvery  = time.Minute
)

// offset is by how much the service's clock is ahead of ours: at least and at most. It is pure. The
// service dates an answer between the request and the arrival, in whole seconds. So one answer gives
// the offset to about a second, and many answers give it to about a round trip. An answer that
// contradicts the earlier ones shows that a clock was set: from then on the earlier ones do not count.
type offset struct {
	known       bool
	least, most time.Duration

	logged   time.Duration // the difference in the last log line; zero: none since the clocks agreed
	loggedAt time.Time
}

// observe takes the Date of an answer. The times sent and received are of our clock.
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

// shouldLog reports whether to log the difference of the clocks: it is certain to be large, and
// differs from the one that was logged last.
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

// ClockOffset returns by how much the service's clock is ahead of this machine's: at least and at
// most, negative if it is behind. Add it to this machine's time to compare that with times of the
// service, such as when it received a log. The client measures the offset by the Date headers of
// the answers, and follows clocks that are set. Before the first answer it is five seconds either
// way.
func (c *Client) ClockOffset() (least, most time.Duration) {
	c.clock.mu.Lock()
	defer c.clock.mu.Unlock()
	return c.clock.offset.bounds()
}

// observeClock takes the Date of one of the service's answers, if no cache delayed it.
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
		c.cfg.Logger.Warn("the service's clock differs from this machine's; the client allows for it; check this machine's time service",
			zap.Duration("service_ahead", ahead.Round(100*time.Millisecond)))
	}
}
