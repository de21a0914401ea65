package slsserver

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

// heartbeat handles a consumer's heartbeat and returns the shards assigned to it.
func (c *consumerGroup) heartbeat(consumer string, held []shardset.Grant) (grants []shardset.Grant, err error) {
	err = c.do(func(now time.Time) error {
		if err := c.admit(now, consumer); err != nil {
			return err
		}
		b := shardset.Heartbeat{Member: strings.Clone(consumer)} // a copy, so that the group does not keep the request
		listed := len(held) > 0
		b.Held = c.existing(held)
		if len(b.Held) == 0 && listed && !c.isMember(now, consumer) {
			return notMember() // it lists shards, even if none of them exists
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

// existing drops shards that the logstore does not have. The state machine would remember these
// numbers for ever, because a removed shard may come back.
func (c *consumerGroup) existing(held []shardset.Grant) []shardset.Grant {
	return slices.DeleteFunc(held, func(h shardset.Grant) bool { return c.find(h.ID.Number) == nil })
}

func (c *consumerGroup) isMember(now time.Time, consumer string) bool {
	c.group.Expire(now)
	_, member := c.group.Instance(consumer)
	return member
}

func notMember() error {
	return fail(400, "NotExistConsumerWithBody", "non-exist consumer with non-empty body of heartbeat message")
}

// admit refuses a new consumer if the group has Config.MaxConsumers.
func (c *consumerGroup) admit(now time.Time, consumer string) error {
	if _, ok := c.known[consumer]; ok || len(c.known) < c.logstore.server.cfg.MaxConsumers {
		return nil
	}
	c.group.Expire(now)
	c.forgetExpired()
	if len(c.known) < c.logstore.server.cfg.MaxConsumers {
		return nil
	}
	return fail(403, "ConsumerGroupQuotaExceed", "the group already has %d consumers, the maximum", len(c.known))
}

// forgetExpired removes and logs the known consumers that are no longer members.
func (c *consumerGroup) forgetExpired() {
	gone := c.known
	c.known = map[string]struct{}{}
	for name := range c.group.Members {
		c.known[name] = struct{}{}
		delete(gone, name)
	}
	for name := range gone {
		c.logstore.server.log.Info("consumer expired", zap.String("group", c.name), zap.String("consumer", name))
	}
}

// evict ends a membership, as if its lease had ended. It returns false if there is none.
func (c *consumerGroup) evict(consumer string) (found bool) {
	_ = c.do(func(now time.Time) error {
		found = c.group.Evict(now, consumer, 0) // 0: heartbeats of SLS carry no instance
		return nil
	})
	return found
}
