package sls

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// groupState is what the client knows of its group.
type groupState struct {
	reading chan struct{} // holds a token while a call reads the settings or creates the group

	mu        sync.Mutex // guards the fields below; never held across a call
	known     bool
	group     Group     // as last read; may be old if not known
	version   uint64    // rises with each change of known or group; a background reading that began before it is dropped
	readAt    time.Time // when to read it again
	rereading bool
	existed   bool  // the group existed once: from then on only Create creates it
	updated   bool  // the client has set what Config.UpdateGroup asks for
	warned    Group // the settings in the last log line

	expected    bool // the last answer about the group showed that it exists
	justCreated bool // a create showed that the group exists, and no heartbeat has succeeded since
	noGroup     absence
	noLogstore  absence
}

func newGroupState() groupState { return groupState{reading: make(chan struct{}, 1)} }

// Create creates the group if it does not exist. The first heartbeat of a client does so too, unless
// Config.MustExist is set.
func (c *Client) Create(ctx context.Context) error {
	_, err := c.readSettings(ctx, true, func() bool { return false })
	return c.retryIfMissing(err)
}

// settings returns the group's settings. It makes a call only if they are not known.
func (c *Client) settings(ctx context.Context) (Group, error) {
	c.group.mu.Lock()
	g, known, create := c.group.group, c.group.known, !c.group.existed && !c.cfg.MustExist
	c.group.mu.Unlock()
	if known {
		return g, nil
	}
	return c.readSettings(ctx, create, func() bool { return c.group.known })
}

// readSettings reads the group's settings. If create is true, it creates a group that does not
// exist. Calls run one at a time. If known returns true, because an earlier call has read the
// settings meanwhile, readSettings returns those. It calls known under the lock.
func (c *Client) readSettings(ctx context.Context, create bool, known func() bool) (Group, error) {
	if c.cfg.Group == "" {
		return Group{}, usage(opListGroups, "the client has no group")
	}
	select {
	case c.group.reading <- struct{}{}:
	case <-ctx.Done():
		return Group{}, newTransportError(opListGroups, ctx.Err(), Credentials{})
	}
	defer func() { <-c.group.reading }()
	c.group.mu.Lock()
	g, done := c.group.group, known()
	c.group.mu.Unlock()
	if done {
		return g, nil
	}
	g, err := c.find(ctx)
	if errors.Is(err, heartbeat.ErrGroupNotFound) && create {
		g, err = c.create(ctx)
	}
	if err != nil {
		return Group{}, err
	}
	c.expect(false)
	if g, err = c.updateIfWanted(ctx, g); err != nil {
		return Group{}, err
	}
	c.setSettings(g)
	return g, nil
}

// wanted returns the group that the Config describes.
func (c *Client) wanted() Group {
	return Group{Name: c.cfg.Group, Timeout: c.cfg.Timeout, Ordered: c.cfg.Ordered}
}

// create creates the group. If the service confirms that, create returns the wanted settings,
// because a list may not show the group yet. If the group exists, create reads its settings from
// the list.
func (c *Client) create(ctx context.Context) (Group, error) {
	want := c.wanted()
	err := c.createGroup(ctx, want)
	exists := errors.Is(err, errGroupExists)
	if err != nil && !exists {
		return Group{}, err
	}
	c.expect(true)
	if exists {
		return c.find(ctx)
	}
	return want, nil
}

// expect records that the group exists. If created is true, a create has shown it; otherwise a list
// has.
func (c *Client) expect(created bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.existed, c.group.expected = true, true
	c.group.justCreated = c.group.justCreated || created
}

// find reads the settings of the client's group.
func (c *Client) find(ctx context.Context) (Group, error) {
	groups, err := c.listGroups(ctx, c.beats, c.cfg.Group)
	if err != nil {
		return Group{}, err
	}
	for _, g := range groups {
		if g.Name == c.cfg.Group {
			return g, nil
		}
	}
	return Group{}, fmt.Errorf("sls: group %q of logstore %q is not listed: %w", c.cfg.Group, c.cfg.Logstore, heartbeat.ErrGroupNotFound)
}

// updateIfWanted sets the group's settings to the Config's if Config.UpdateGroup is set. Each
// client does so only once. Otherwise two programs with different settings would change the group
// back and forth for ever.
func (c *Client) updateIfWanted(ctx context.Context, g Group) (Group, error) {
	c.group.mu.Lock()
	updated := c.group.updated
	c.group.mu.Unlock()
	if !c.cfg.UpdateGroup || updated || !c.differs(g) {
		return g, nil
	}
	want := c.wanted()
	if err := c.UpdateGroup(ctx, want); err != nil {
		return Group{}, err
	}
	c.cfg.Logger.Info("group updated to the settings of the config",
		zap.String("group", g.Name), zap.Duration("timeout", want.Timeout), zap.Duration("timeout before", g.Timeout),
		zap.Bool("ordered", want.Ordered), zap.Bool("ordered before", g.Ordered))
	c.group.mu.Lock()
	c.group.updated = true
	c.group.mu.Unlock()
	return want, nil
}

func (c *Client) differs(g Group) bool {
	return g.Timeout != c.cfg.Timeout || g.Ordered != c.cfg.Ordered
}

// setSettings stores the settings. It logs them if they differ from the Config and from those in
// the last log line.
func (c *Client) setSettings(g Group) {
	c.group.mu.Lock()
	c.group.group, c.group.known = g, true
	c.group.version++
	c.group.readAt = time.Now().Add(rereadEvery)
	warn := c.differs(g) && c.group.warned != g
	if warn {
		c.group.warned = g
	}
	c.group.mu.Unlock()
	if warn {
		c.cfg.Logger.Warn("group differs from the config; the client uses the group's settings",
			zap.String("group", g.Name),
			zap.Duration("timeout", g.Timeout), zap.Duration("configured timeout", c.cfg.Timeout),
			zap.Bool("ordered", g.Ordered), zap.Bool("configured ordered", c.cfg.Ordered))
	}
}

// forgetGroup records that the group does not exist. The next heartbeat reads the settings first,
// and does not create the group.
func (c *Client) forgetGroup() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.known, c.group.existed, c.group.expected = false, true, false
	c.group.version++
}

// invalidateSettings makes the next heartbeat read the settings first. It is called after an
// eviction, which a shorter timeout may have caused. The extra call does no harm, because an
// evicted member has no lease to renew.
func (c *Client) invalidateSettings() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.known = false
	c.group.version++
}
