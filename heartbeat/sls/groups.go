package sls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Group is the name and the settings of a consumer group.
type Group struct {
	Name string
	// Timeout is how long a member keeps its shards after its last heartbeat, in whole seconds.
	Timeout time.Duration
	// Ordered makes the children of a split or merged shard wait for their ancestors.
	Ordered bool
}

type createJSON struct {
	Name    string `json:"consumerGroup"`
	Timeout int64  `json:"timeout"`
	Ordered bool   `json:"order"`
}

type updateJSON struct {
	Ordered bool  `json:"order"`
	Timeout int64 `json:"timeout"`
}

// groupJSON accepts values of any type, because another program may have created a bad group.
type groupJSON struct {
	Name    any `json:"name"`
	Timeout any `json:"timeout"`
	Ordered any `json:"order"`
}

func (c *Client) groupsPath() string { return "/logstores/" + c.cfg.Logstore + "/consumergroups" }

func (c *Client) groupPath(name string) string { return c.groupsPath() + "/" + name }

// createGroup creates a group of the logstore. If the group exists, the error matches
// errGroupExists and the group does not change.
func (c *Client) createGroup(ctx context.Context, g Group) error {
	if err := g.validate(opCreateGroup); err != nil {
		return err
	}
	body, err := json.Marshal(createJSON{Name: g.Name, Timeout: int64(g.Timeout / time.Second), Ordered: g.Ordered})
	if err != nil {
		return err
	}
	q := &call{op: opCreateGroup, method: http.MethodPost, path: c.groupsPath(), body: body, typ: typeJSON}
	return c.send(ctx, q, noResult)
}

// UpdateGroup sets Timeout and Ordered of the group with the name g.Name.
func (c *Client) UpdateGroup(ctx context.Context, g Group) error {
	if err := g.validate(opUpdateGroup); err != nil {
		return err
	}
	body, err := json.Marshal(updateJSON{Ordered: g.Ordered, Timeout: int64(g.Timeout / time.Second)})
	if err != nil {
		return err
	}
	q := &call{op: opUpdateGroup, method: http.MethodPut, path: c.groupPath(g.Name), body: body, typ: typeJSON}
	return c.send(ctx, q, noResult)
}

// DeleteGroup deletes a group with its members and its checkpoints.
func (c *Client) DeleteGroup(ctx context.Context, name string) error {
	if !validName(name) {
		return usage(opDeleteGroup, "the group name %s is not %s", quote(name), nameRule)
	}
	return c.send(ctx, &call{op: opDeleteGroup, method: http.MethodDelete, path: c.groupPath(name)}, noResult)
}

// ListGroups returns the groups of the logstore. A group has a zero Timeout if the client cannot
// read its settings. The list leaves out groups without a name.
func (c *Client) ListGroups(ctx context.Context) ([]Group, error) {
	return c.listGroups(ctx, c.data, "")
}

// listGroups returns the groups. It fails if it cannot read the settings of the client's own group,
// whose name is own.
func (c *Client) listGroups(ctx context.Context, via http.RoundTripper, own string) (groups []Group, err error) {
	q := &call{op: opListGroups, method: http.MethodGet, path: c.groupsPath(), via: via}
	err = c.send(ctx, q, readJSON(q.op, func(b []byte) (err error) {
		groups, err = parseGroups(b, own)
		return err
	}))
	return groups, err
}

func parseGroups(b []byte, own string) ([]Group, error) {
	groups, nameless := []Group{}, 0
	err := parseElements(b, func(w *groupJSON, _ error) error {
		name, _ := w.Name.(string)
		if name == "" {
			if nameless++; nameless <= maxSkipped {
				return nil // it is not the client's group
			}
			return errors.New("more than 50 groups have no name")
		}
		g, err := w.settings()
		if err != nil && name == own {
			return fmt.Errorf("the client's group: %w", err)
		}
		g.Name = name
		groups = append(groups, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return groups, nil
}

// settings reads one group. Some programs write the timeout as 5.0, so settings accepts it. It
// rounds the timeout down to whole seconds, and to a day if it is longer. A lease that is too short
// is safe; one that is too long is not.
func (w *groupJSON) settings() (Group, error) {
	seconds, ok := w.Timeout.(float64)
	if !ok || seconds < 1 {
		return Group{}, errors.New("it has no timeout of a second or more")
	}
	ordered, ok := w.Ordered.(bool)
	if !ok && w.Ordered != nil {
		return Group{}, errors.New("its order is neither true nor false")
	}
	whole := time.Duration(min(seconds, maxTimeout.Seconds()))
	return Group{Timeout: whole * time.Second, Ordered: ordered}, nil
}

func (g Group) validate(op string) error {
	if !validName(g.Name) {
		return usage(op, "the group name %s is not %s", quote(g.Name), nameRule)
	}
	if g.Timeout < time.Second || g.Timeout > maxTimeout || g.Timeout%time.Second != 0 {
		return usage(op, "the timeout %v is not whole seconds, 1s to %v", g.Timeout, maxTimeout)
	}
	return nil
}
