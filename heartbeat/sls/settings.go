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

// groupState is what this client knows of its group.
type groupState struct {
	reading chan struct{} // holds a token while somebody reads or creates

	mu        sync.Mutex // guards the fields below; never held across a call
	known     bool
	group     Group     // as the service has it, if known
	version   uint64    // rises with what is learned or doubted: older readings are void
	readAt    time.Time // when to read it again
	rereading bool
	met       bool  // the group was there once: from then on only Create creates it
	updated   bool  // UpdateGroup has been obeyed
	warned    Group // the difference that was logged last

	expected   bool // the service said that the group exists, and nothing else since
	fresh      bool // a create said so, and no heartbeat has been answered since
	noGroup    absence
	noLogstore absence
}

func newGroupState() groupState { return groupState{reading: make(chan struct{}, 1)} }

// lastGroup returns the settings of the client's group as the service gave them last, for
// a look: false before the first heartbeat. They may differ from the Config.
func (c *Client) lastGroup() (Group, bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	return c.group.group, c.group.known
}

// Create makes the group if there is none. It is one of the two ways to make it: the
// first heartbeat of a client is the other, unless Config.MustExist is set.
func (c *Client) Create(ctx context.Context) error {
	_, err := c.readSettings(ctx, true, func() bool { return false })
	return c.retryIfMissing(err)
}

// settings returns the group's settings, without a call if they are known.
func (c *Client) settings(ctx context.Context) (Group, error) {
	c.group.mu.Lock()
	g, known, create := c.group.group, c.group.known, !c.group.met && !c.cfg.MustExist
	c.group.mu.Unlock()
	if known {
		return g, nil
	}
	return c.readSettings(ctx, create, func() bool { return c.group.known })
}

// readSettings reads the group's settings, and makes the group if there is none and create
// says so. It does nothing if, when its turn comes, enough says that the settings are
// known; enough is called under the lock.
func (c *Client) readSettings(ctx context.Context, create bool, enough func() bool) (Group, error) {
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
	g, done := c.group.group, enough()
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

// wanted is the group that this client would make.
func (c *Client) wanted() Group {
	return Group{Name: c.cfg.Group, Timeout: c.cfg.Timeout, Ordered: c.cfg.Ordered}
}

// create makes the group. If the service takes that, the settings are known: a list may
// not have them yet. If the group exists, only a list has them.
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

// expect notes that the service said that the group exists, in answer to a create or in
// a list.
func (c *Client) expect(fresh bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.met, c.group.expected = true, true
	c.group.fresh = c.group.fresh || fresh
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

// updateIfWanted obeys UpdateGroup, once in a client's life: two programs that disagree would
// otherwise change the group back and forth for ever.
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
	c.cfg.Logger.Info("group was changed to the config",
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

// setSettings notes the settings, and logs once how they differ from the Config.
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
		c.cfg.Logger.Warn("group differs from the config; the group counts",
			zap.String("group", g.Name),
			zap.Duration("timeout", g.Timeout), zap.Duration("configured timeout", c.cfg.Timeout),
			zap.Bool("ordered", g.Ordered), zap.Bool("configured ordered", c.cfg.Ordered))
	}
}

// forgetGroup makes the next heartbeat read the settings first: the group is gone.
func (c *Client) forgetGroup() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.known, c.group.met, c.group.expected = false, true, false
	c.group.version++
}

// invalidateSettings makes the next heartbeat read the settings first: an eviction may come of a
// timeout that was made shorter. There is no lease then that a failure could cost.
func (c *Client) invalidateSettings() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.known = false
	c.group.version++
}
