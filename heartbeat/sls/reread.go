package sls

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	// rereadEvery is how often the client reads the group's settings again. It bounds how long a
	// member uses the old timeout after a new one was set.
	rereadEvery = 30 * time.Second
	// rereadSoon is the pause after a reading that failed.
	rereadSoon = 5 * time.Second
	// rereadTimeout bounds one such reading. It may take longer than a heartbeat.
	rereadTimeout = 10 * time.Second
)

// onAnswer is the event of an answered heartbeat. It returns the known settings.
func (c *Client) onAnswer() Group {
	c.group.mu.Lock()
	g := c.group.group
	c.group.noGroup, c.group.noLogstore, c.group.fresh = absence{}, absence{}, false
	c.group.mu.Unlock()
	c.rereadIfDue()
	return g
}

// rereadIfDue reads the settings again when it is time, on a goroutine: a heartbeat must not wait for
// it, and may have too little time for it. The next answer uses the result. The client's background
// owns, stops and awaits the goroutine; one runs at a time.
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

// rereadSettings reads the settings. It keeps them if the version has not changed meanwhile, and keeps
// the known ones if it fails.
func (c *Client) rereadSettings(ctx context.Context, version uint64) {
	ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	g, err := c.find(ctx)
	switch newest := c.endReading(version); {
	case !newest || c.background.closed():
	case err != nil:
		c.cfg.Logger.Warn("group's settings cannot be read again; the last ones stay", zap.Error(err))
	default:
		c.setSettings(g)
	}
}

// endReading ends a reading, and reports whether the version has not changed since it began. It plans
// the next reading soon; setSettings plans it later.
func (c *Client) endReading(version uint64) (newest bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.rereading = false
	if newest = c.group.version == version; newest {
		c.group.readAt = time.Now().Add(rereadSoon)
	}
	return newest
}
