package replicated

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// watchHealth is what a process knows of one of its watches: whether it works, and what
// the log says of that. The zero value is a watch that nobody needs. It belongs to whoever
// holds Client.mu.
type watchHealth struct {
	works bool
	since time.Time // when it began to fail, or was begun for the first time; zero: it works, or is not needed
	err   error     // its newest failure since then; nil: it only takes its time

	said   bool      // the log has a warning of this failure
	saidAt time.Time // when the log had one last
}

// begun notes that the watch is started, or started again.
func (h *watchHealth) begun(now time.Time) {
	if !h.works && h.since.IsZero() {
		h.since = now
	}
}

// worked notes that the watch has told everything that was there.
func (h *watchHealth) worked() { h.works, h.since, h.err = true, time.Time{}, nil }

// failed notes that the watch has ended with an error.
func (h *watchHealth) failed(now time.Time, err error) {
	if h.since.IsZero() {
		h.since = now
	}
	h.works, h.err = false, err
}

// unneeded notes that the watch has ended because nobody needs it.
func (h *watchHealth) unneeded() { h.works, h.since, h.err = false, time.Time{}, nil }

// errSlowWatch is why a watch does not work that has not failed either.
var errSlowWatch = errors.New("the watch has not shown yet what is there")

// trouble returns since when the watch has not worked, and why; a nil error means that it
// works, is not needed, or may still be starting: it has half a TTL for that.
func (h *watchHealth) trouble(now time.Time, ttl time.Duration) (since time.Time, err error) {
	switch {
	case h.since.IsZero(), h.err == nil && now.Before(h.since.Add(ttl/2)):
		return time.Time{}, nil
	case h.err == nil:
		return h.since, errSlowWatch
	}
	return h.since, h.err
}

// notice is what the log is to say of a watch.
type notice uint8

const (
	noticeNothing notice = iota
	noticeFailing
	noticeWorks
	noticeUnneeded
)

// due returns what the log is to say now, and when to ask again; zero: when something
// happens. A failure is said at once, then every TTL, its end once. A watch that fails and
// works by turns is said to do so once in a TTL.
func (h *watchHealth) due(now time.Time, ttl time.Duration) (n notice, again time.Time) {
	switch {
	case h.since.IsZero() && !h.said:
		return noticeNothing, time.Time{}
	case h.since.IsZero():
		h.said = false
		if h.works {
			return noticeWorks, time.Time{}
		}
		return noticeUnneeded, time.Time{}
	}
	at := h.since
	if h.err == nil {
		at = at.Add(ttl / 2)
	}
	if !h.saidAt.IsZero() {
		at = latest(at, h.saidAt.Add(ttl))
	}
	if now.Before(at) {
		return noticeNothing, at
	}
	h.said, h.saidAt = true, now
	return noticeFailing, now.Add(ttl)
}

// watches are the health of both watches, by what is watched.
type watches struct{ document, records watchHealth }

func (w *watches) of(k Kind) *watchHealth {
	if k == KindDocument {
		return &w.document
	}
	return &w.records
}

// noteWatch notes what happened to a watch, and has the log say so.
func (c *Client) noteWatch(k Kind, note func(h *watchHealth)) {
	c.mu.Lock()
	note(c.health.of(k))
	c.mu.Unlock()
	c.sayWatch(k)
	c.poke() // the log may have to say more later
}

// sayWatches has the log say what is due, and returns when to call it again.
func (c *Client) sayWatches() time.Time {
	return soonest(c.sayWatch(KindDocument), c.sayWatch(KindRecord))
}

func (c *Client) sayWatch(k Kind) (again time.Time) {
	now := time.Now()
	c.mu.Lock()
	h := c.health.of(k)
	n, again := h.due(now, c.ttl())
	since, err := h.trouble(now, c.ttl())
	c.mu.Unlock()
	what := watchNames[k]
	switch n {
	case noticeFailing:
		say := c.log.Warn
		if !heartbeat.Retryable(err) {
			say = c.log.Error
		}
		say("the watch of "+what.name+" does not work; "+what.instead, zap.Duration("for", now.Sub(since)), zap.Error(err))
	case noticeWorks:
		c.log.Info("the watch of " + what.name + " works again")
	case noticeUnneeded:
		c.log.Info("the watch of " + what.name + ", which did not work, is not needed any more")
	}
	return again
}

var watchNames = map[Kind]struct{ name, instead string }{
	KindDocument: {"the group's document", "this process reads the document every half TTL instead, so handovers are slow"},
	KindRecord:   {"the members' records", "this process only looks at some members twice in a TTL instead, so others have to find expired members"},
}

// ttl is the group's TTL, or that of the Config as long as the group's is not known. The
// caller holds mu.
func (c *Client) ttl() time.Duration {
	if ttl := c.replica.TTL(); ttl > 0 {
		return ttl
	}
	return c.cfg.TTL
}

// Degraded implements heartbeat.Degradable: it returns since when a watch of this process
// has not worked, and why. The group goes on without watches, by reading; handovers and
// the shards of expired members take longer then.
func (c *Client) Degraded() (since time.Time, err error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return time.Time{}, nil
	}
	for _, k := range []Kind{KindDocument, KindRecord} {
		at, e := c.health.of(k).trouble(now, c.ttl())
		if e == nil {
			continue
		}
		since = soonest(since, at)
		err = errors.Join(err, fmt.Errorf("the watch of %s does not work: %w", watchNames[k].name, e))
	}
	return since, err
}
