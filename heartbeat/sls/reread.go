package sls

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	// rereadEvery is how often the group's settings are read again. It bounds how long
	// members believe in a timeout that was made shorter.
	rereadEvery = 30 * time.Second
	// rereadSoon is the pause after a reading that failed.
	rereadSoon = 5 * time.Second
	// rereadTimeout bounds one such reading. It may take longer than a heartbeat.
	rereadTimeout = 10 * time.Second
)

// onAnswer is the event of a heartbeat that was answered. It returns the newest settings
// that are known.
func (c *Client) onAnswer() Group {
	c.group.mu.Lock()
	g := c.group.group
	c.group.noGroup, c.group.noLogstore, c.group.fresh = absence{}, absence{}, false
	c.group.mu.Unlock()
	c.rereadIfDue()
	return g
}

// rereadIfDue has the settings read again when it is time, beside the heartbeats: one must
// not wait for the reading, and its own time may be too short for it. The next answer
// takes what comes of it. Owner, stop and waiter of the goroutine: the client's
// background; one runs at a time.
func (c *Client) rereadIfDue() {
	s := &c.group
	s.mu.Lock()
	due := s.known && !s.rereading && !time.Now().Before(s.readAt)
	if due {
		s.rereading = true
	}
	version := s.version
	s.mu.Unlock()
	if due && !c.background.launch(func(ctx context.Context) { c.rereadSettings(ctx, version) }) {
		c.endReading(version)
	}
}

// rereadSettings reads the settings, and takes them if they are still those of that version.
// If it fails, the settings that are known stay.
func (c *Client) rereadSettings(ctx context.Context, version uint64) {
	ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	g, err := c.find(ctx)
	switch newest := c.endReading(version); {
	case !newest || c.background.closed():
	case err != nil:
		c.cfg.Logger.Warn("group's settings cannot be read again; the last ones count", zap.Error(err))
	default:
		c.setSettings(g)
	}
}

// endReading ends a reading, and reports whether nobody has learned or doubted anything
// since it began. The next one is due soon, unless this one gave something to learn.
func (c *Client) endReading(version uint64) (newest bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.rereading = false
	if newest = c.group.version == version; newest {
		c.group.readAt = time.Now().Add(rereadSoon)
	}
	return newest
}
