package slsserver

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

const maxTimeout = 24 * time.Hour

func (s *Server) createGroup(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	if err := c.mediaType("application/json"); err != nil {
		return err
	}
	o, err := parseObject(c.body)
	if err != nil {
		return badJSON(err)
	}
	name, okName := o.text("consumerGroup")
	order, okOrder := o.boolean("order")
	if !okName || !o.has("timeout") || !okOrder && o.has("order") {
		return fail(400, "JsonInfoInvalid", "consumerGroup, timeout or order is missing or of the wrong kind")
	}
	if !validName(name) {
		return badParameter("bad consumer group name %q", name)
	}
	ttl, err := o.timeout()
	if err != nil {
		return err
	}
	if err := ls.createGroup(name, ttl, order); err != nil {
		return err
	}
	return c.reply("", nil)
}

// timeout reads a group's timeout.
func (o object) timeout() (time.Duration, error) {
	seconds, ok := o.integer("timeout")
	if !ok || seconds < 1 || seconds > int64(maxTimeout/time.Second) {
		return 0, fail(400, "JsonInfoInvalid", "the timeout %.20v is not a whole number of seconds between 1 and %d",
			o["timeout"], maxTimeout/time.Second)
	}
	return time.Duration(seconds) * time.Second, nil
}

func (ls *logstore) createGroup(name string, ttl time.Duration, order bool) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.deleted {
		return noLogstore(ls.name)
	}
	if ls.groups[name] != nil {
		return fail(400, "ConsumerGroupAlreadyExist", "consumer group already exist")
	}
	if limit := ls.server.cfg.MaxGroups; len(ls.groups) >= limit {
		return fail(403, "ConsumerGroupQuotaExceed", "the logstore already has %d consumer groups, the maximum", limit)
	}
	g, err := newConsumerGroup(ls, name, ttl, order)
	if err != nil {
		return err
	}
	if err := g.setShards(ls.server.cfg.Clock(), ls.shards); err != nil {
		return err
	}
	ls.groups[name] = g
	return nil
}

func (s *Server) updateGroup(c *call) error {
	_, g, err := c.groupOf(s)
	if err != nil {
		return err
	}
	if err := c.mediaType("application/json"); err != nil {
		return err
	}
	o, err := parseObject(c.body)
	if err != nil {
		return badJSON(err)
	}
	var ttl time.Duration
	if o.has("timeout") {
		if ttl, err = o.timeout(); err != nil {
			return err
		}
	}
	var order *bool
	if o.has("order") {
		b, ok := o.boolean("order")
		if !ok {
			return fail(400, "JsonInfoInvalid", "order is of the wrong kind")
		}
		order = &b
	}
	if err := g.update(ttl, order); err != nil {
		return err
	}
	return c.reply("", nil)
}

func (s *Server) deleteGroup(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	g := ls.groups[c.group]
	if g == nil {
		return noGroup()
	}
	g.stop(noGroup())
	delete(ls.groups, c.group)
	return c.reply("", nil)
}

func (s *Server) listGroups(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	type element struct {
		Name    string `json:"name"`
		Timeout int64  `json:"timeout"`
		Order   bool   `json:"order"`
	}
	list := []element{}
	ls.mu.RLock()
	for _, name := range slices.Sorted(maps.Keys(ls.groups)) {
		g := ls.groups[name]
		g.mu.Lock()
		list = append(list, element{name, int64(g.group.TTL() / time.Second), g.order})
		g.mu.Unlock()
	}
	ls.mu.RUnlock()
	return c.replyJSON(list)
}

func (s *Server) heartbeat(c *call) error {
	_, g, err := c.groupOf(s)
	if err != nil {
		return err
	}
	if err := c.mediaType("application/json"); err != nil {
		return err
	}
	consumer := c.query.Get("consumer")
	if err := shardset.CheckName(consumer); err != nil {
		return badParameter("the consumer name %v", err)
	}
	ids, err := parseIntegers(c.body)
	if err != nil {
		return badJSON(err)
	}
	held := make([]shardset.Grant, len(ids))
	for i, id := range ids {
		held[i].ID = shardID(id)
	}
	grants, err := g.heartbeat(consumer, held)
	if err != nil {
		return err
	}
	answer := make([]byte, 1, 2+8*len(grants))
	answer[0] = '['
	for i, grant := range grants {
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = strconv.AppendInt(answer, int64(grant.ID.Number), 10)
	}
	return c.reply("application/json", append(answer, ']'))
}
