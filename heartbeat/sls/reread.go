package sls

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	// rereadEvery is how often the client reads the group's settings again. As long as no reading
	// fails, it bounds how long a member uses an old timeout.
	rereadEvery = 30 * time.Second
	// rereadSoon is the pause after a failed reading.
	rereadSoon = 5 * time.Second
	// rereadTimeout bounds one reading, which may take longer than a heartbeat.
	rereadTimeout = 10 * time.Second
)

// onAnswer handles the answer of a heartbeat. It returns the known settings.
func (c *Client) onAnswer() Group {
	c.group.mu.Lock()
	g := c.group.group
	c.group.noGroup, c.group.noLogstore, c.group.justCreated = absence{}, absence{}, false
	c.group.mu.Unlock()
	c.rereadIfDue()
	return g
}

// rereadIfDue reads the settings again if it is time. It does so on a goroutine, because a
// heartbeat must not wait for it; later heartbeats use the result. At most one such goroutine runs.
// When the client is closed, its background stops the goroutine and waits for it.
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

// rereadSettings reads the settings. It stores them if the version has not changed meanwhile. If it
// fails, the known settings stay.
func (c *Client) rereadSettings(ctx context.Context, version uint64) {
	ctx, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	g, err := c.find(ctx)
	switch unchanged := c.endReading(version); {
	case !unchanged || c.background.closed():
	case err != nil:
		c.cfg.Logger.Warn("cannot read the group's settings again; the client keeps the last ones", zap.Error(err))
	default:
		c.setSettings(g)
	}
}

// endReading records the end of a reading, and reports whether the version is the same as when the
// reading began. It schedules the next reading after rereadSoon; after a success, setSettings
// changes that to rereadEvery.
func (c *Client) endReading(version uint64) (unchanged bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.rereading = false
	if unchanged = c.group.version == version; unchanged {
		c.group.readAt = time.Now().Add(rereadSoon)
	}
	return unchanged
}
