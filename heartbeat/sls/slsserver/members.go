package slsserver

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// beat is a heartbeat: it answers which shards the consumer may hold.
func (c *consumers) beat(consumer string, held []shardset.Grant) (grants []shardset.Grant, err error) {
	err = c.do(func(now time.Time) error {
		if err := c.admit(now, consumer); err != nil {
			return err
		}
		b := shardset.Heartbeat{Member: strings.Clone(consumer)} // it is kept, and must not keep its request
		listed := len(held) > 0
		b.Held = c.existing(held)
		if len(b.Held) == 0 && listed && !c.isMember(now, consumer) {
			return notMember() // its list is not empty, whatever is in it
		}
		a, err := c.group.Beat(now, b)
		if errors.Is(err, shardset.ErrEvicted) {
			return notMember()
		}
		if err != nil {
			return badParameter("%v", err)
		}
		c.known[b.Member] = struct{}{}
		grants = a.Grants
		return nil
	})
	return grants, err
}

// existing returns those of the shards that are the logstore's. The state machine keeps
// what a member holds of others, in case they come back, and numbers that the logstore never
// had would be kept for ever.
func (c *consumers) existing(held []shardset.Grant) []shardset.Grant {
	return slices.DeleteFunc(held, func(h shardset.Grant) bool { return c.find(h.ID.Number) == nil })
}

func (c *consumers) isMember(now time.Time, consumer string) bool {
	c.group.Expire(now)
	return slices.ContainsFunc(c.group.Snapshot().Members, func(m group.MemberInfo) bool { return m.Name == consumer })
}

func notMember() error {
	return fail(400, "NotExistConsumerWithBody", "non-exist consumer with non-empty body of heartbeat message")
}

// admit bounds the number of consumers.
func (c *consumers) admit(now time.Time, consumer string) error {
	if _, ok := c.known[consumer]; ok || len(c.known) < c.logstore.server.cfg.MaxConsumers {
		return nil
	}
	c.group.Expire(now)
	c.forget()
	if len(c.known) < c.logstore.server.cfg.MaxConsumers {
		return nil
	}
	return fail(403, "ConsumerGroupQuotaExceed", "the group has its %d consumers", len(c.known))
}

// forget drops the names of those who are members no more, and says so.
func (c *consumers) forget() {
	gone := c.known
	c.known = map[string]struct{}{}
	for _, m := range c.group.Snapshot().Members {
		c.known[m.Name] = struct{}{}
		delete(gone, m.Name)
	}
	for name := range gone {
		c.logstore.server.log.Info("consumer gone", zap.String("group", c.name), zap.String("consumer", name))
	}
}

// evict ends a membership, as if its lease had ended.
func (c *consumers) evict(consumer string) bool {
	found := false
	_ = c.do(func(now time.Time) error {
		for _, m := range c.group.Snapshot().Members {
			found = found || m.Name == consumer
		}
		if !found {
			return nil
		}
		return c.group.Leave(now, shardset.Heartbeat{Member: consumer})
	})
	return found
}
