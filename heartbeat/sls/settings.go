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

const (
	// rereadEvery is how often the group's settings are read again. It bounds how long
	// members believe in a timeout that was made shorter.
	rereadEvery = 30 * time.Second
	// rereadSoon is the pause after a reading that failed.
	rereadSoon = 5 * time.Second
)

// groupState is what this client knows of its group.
type groupState struct {
	reading chan struct{} // holds a token while somebody reads or creates

	mu      sync.Mutex // guards the fields below; never held across a call
	known   bool
	group   Group     // as the service has it, if known
	readAt  time.Time // when to read it again
	met     bool      // the group was there once: from then on only Create creates it
	updated bool      // UpdateGroup has been obeyed
	warned  Group     // the difference that was logged last
}

func newGroupState() groupState { return groupState{reading: make(chan struct{}, 1)} }

// Group returns the settings of the client's group as the service gave them last, for
// a look: false before the first heartbeat. They may differ from the Config.
func (c *Client) Group() (Group, bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	return c.group.group, c.group.known
}

// Create makes the group if there is none. It is one of the two ways to make it: the
// first heartbeat of a client is the other, unless Config.MustExist is set.
func (c *Client) Create(ctx context.Context) error {
	_, err := c.settle(ctx, true, func() bool { return false })
	return err
}

// settings returns the group's settings, without a call if they are known.
func (c *Client) settings(ctx context.Context) (Group, error) {
	c.group.mu.Lock()
	g, known, create := c.group.group, c.group.known, !c.group.met && !c.cfg.MustExist
	c.group.mu.Unlock()
	if known {
		return g, nil
	}
	return c.settle(ctx, create, func() bool { return c.group.known })
}

// settle reads the group's settings, and makes the group if there is none and create
// says so. It does nothing if, when its turn comes, enough says that the settings are
// known; enough is called under the lock.
func (c *Client) settle(ctx context.Context, create bool, enough func() bool) (Group, error) {
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
		want := Group{Name: c.cfg.Group, Timeout: c.cfg.Timeout, Ordered: c.cfg.Ordered}
		if err := c.CreateGroup(ctx, want); err != nil && !errors.Is(err, ErrGroupExists) {
			return Group{}, err
		}
		g, err = c.find(ctx)
	}
	if err != nil {
		return Group{}, err
	}
	if g, err = c.adapt(ctx, g); err != nil {
		return Group{}, err
	}
	c.learn(g)
	return g, nil
}

// find reads the settings of the client's group.
func (c *Client) find(ctx context.Context) (Group, error) {
	groups, err := c.listGroups(ctx, c.beats)
	if err != nil {
		return Group{}, err
	}
	for _, g := range groups {
		if g.Name == c.cfg.Group {
			return g, nil
		}
	}
	return Group{}, fmt.Errorf("sls: group %q of logstore %q: %w", c.cfg.Group, c.cfg.Logstore, heartbeat.ErrGroupNotFound)
}

// adapt obeys UpdateGroup, once in a client's life: two programs that disagree would
// otherwise change the group back and forth for ever.
func (c *Client) adapt(ctx context.Context, g Group) (Group, error) {
	c.group.mu.Lock()
	updated := c.group.updated
	c.group.mu.Unlock()
	if !c.cfg.UpdateGroup || updated || !c.differs(g) {
		return g, nil
	}
	want := Group{Name: c.cfg.Group, Timeout: c.cfg.Timeout, Ordered: c.cfg.Ordered}
	if err := c.UpdateGroup(ctx, want); err != nil {
		return Group{}, err
	}
	c.cfg.Logger.Info("group was changed to the config",
		zap.String("group", g.Name), zap.Stringer("was", g), zap.Stringer("is", want))
	c.group.mu.Lock()
	c.group.updated = true
	c.group.mu.Unlock()
	return c.find(ctx)
}

func (c *Client) differs(g Group) bool {
	return g.Timeout != c.cfg.Timeout || g.Ordered != c.cfg.Ordered
}

// learn notes the settings, and logs once how they differ from the Config.
func (c *Client) learn(g Group) {
	c.group.mu.Lock()
	c.group.group, c.group.known, c.group.met = g, true, true
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

// reread reads the settings again when it is time, after a heartbeat that went well,
// so that it can delay none. It takes no more than half of the time that is left: the
// answer to the heartbeat must not be lost over it. If it fails, the settings that are
// known stay.
func (c *Client) reread(ctx context.Context, g Group) Group {
	now := time.Now()
	c.group.mu.Lock()
	due := c.group.known && !now.Before(c.group.readAt)
	if due {
		c.group.readAt = now.Add(rereadSoon) // for this call, and unless it succeeds
	}
	if c.group.known {
		g = c.group.group
	}
	c.group.mu.Unlock()
	if !due {
		return g
	}
	limit := c.cfg.RequestTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	ctx, cancel := context.WithTimeout(ctx, limit/2)
	defer cancel()
	found, err := c.find(ctx)
	if err != nil {
		c.cfg.Logger.Warn("group's settings cannot be read again; the last ones count", zap.Error(err))
		return g
	}
	c.learn(found)
	return found
}

// forget makes the next heartbeat read the settings first: the group is gone.
func (c *Client) forget() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.known, c.group.met = false, true
}

// doubt makes the next heartbeat read the settings first: an eviction may come of a
// timeout that was made shorter. There is no lease then that a failure could cost.
func (c *Client) doubt() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.readAt, c.group.known = time.Time{}, false
}
