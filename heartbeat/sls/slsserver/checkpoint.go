package slsserver

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

const maxCheckpoint = 4 << 10

func (s *Server) commit(c *call) error {
	_, g, err := c.groupOf(s)
	if err != nil {
		return err
	}
	if err := c.mediaType("application/json"); err != nil {
		return err
	}
	forced, err := parseBool(c.query.Get("forceSuccess"))
	if err != nil {
		return badParameter("forceSuccess is %q", c.query.Get("forceSuccess"))
	}
	consumer := c.query.Get("consumer")
	if consumer != "" || !forced {
		if err := shardset.CheckName(consumer); err != nil {
			return badParameter("the consumer name %v", err)
		}
	}
	o, err := parseObject(c.body)
	if err != nil {
		return badJSON(err)
	}
	shard, okShard := o.integer("shard")
	text, okText := o.text("checkpoint")
	if !okShard || !okText || shard < 0 {
		return fail(400, "JsonInfoInvalid", "the body has no shard or no checkpoint")
	}
	cursor, ok := parseCursor(text)
	if !ok || len(text) > maxCheckpoint {
		return fail(400, "InvalidShardCheckPoint", "the checkpoint is not a cursor")
	}
	if err := g.commit(strings.Clone(consumer), shard, cursor, forced); err != nil {
		return err
	}
	return c.reply("", nil)
}

// parseBool reads a boolean. Python sends True and False. Empty means false.
func parseBool(s string) (bool, error) {
	if s == "" {
		return false, nil
	}
	if s = strings.ToLower(s); s != "true" && s != "false" {
		return false, strconv.ErrSyntax
	}
	return s == "true", nil
}

// commit stores a checkpoint if the consumer holds the shard or the commit is forced.
func (c *consumerGroup) commit(consumer string, id, cursor int64, forced bool) error {
	return c.do(func(now time.Time) error {
		sh := c.find(int(id))
		if sh == nil {
			return noShard(404, int(id))
		}
		_, end, _ := sh.bounds()
		cp := checkpoint{cursor: cursor, at: now, by: consumer}
		complete := c.isComplete(sh.id)
		if !forced {
			// The last committer and the last holder may commit the end again: the answer to the
			// first commit may have been lost, or the shard became complete without one.
			again := complete && cursor == end && (c.checkpoints[sh.id].by == consumer || c.complete[sh.id] == consumer)
			if err := c.fence(now, consumer, sh.id); err != nil && !again {
				return err
			}
		}
		if cursor > end {
			return fail(400, "InvalidShardCheckPoint", "%d is beyond the end of the shard, %d", cursor, end)
		}
		c.checkpoints[sh.id] = cp
		if c.nothingLeft(sh) == complete {
			return nil
		}
		return c.updateShards(now)
	})
}

// fence refuses a consumer that does not hold the shard. It compares only names, because the
// protocol carries no epoch.
func (c *consumerGroup) fence(now time.Time, consumer string, shard int) error {
	err := c.group.Fence(now, group.Token{Member: consumer, ID: shardID(shard)})
	if err == nil {
		return nil
	}
	snap := c.group.Snapshot()
	if slices.ContainsFunc(snap.Members, func(m group.MemberInfo) bool { return m.Name == consumer }) {
		return fail(400, "ConsumerNotMatch", "the consumer does not hold the shard")
	}
	return fail(404, "ConsumerNotExist", "consumer not exist")
}

// shardCheckpoint is an element of GetCheckPoint's answer.
type shardCheckpoint struct {
	Shard      int    `json:"shard"`
	Checkpoint string `json:"checkpoint"`
	UpdateTime int64  `json:"updateTime"` // microseconds
	Consumer   string `json:"consumer"`
}

func (s *Server) getCheckpoint(c *call) error {
	_, g, err := c.groupOf(s)
	if err != nil {
		return err
	}
	one := -1
	if text := c.query.Get("shard"); text != "" {
		if one, err = strconv.Atoi(text); err != nil || one < 0 {
			return badParameter("the shard is %q", text)
		}
	}
	list, err := g.list(one)
	if err != nil {
		return err
	}
	return c.replyJSON(list)
}

// list returns the checkpoint of the shard one, or of all shards if one is negative. Shards without
// a checkpoint are in the list, because some clients fail without them.
func (c *consumerGroup) list(one int) (list []shardCheckpoint, err error) {
	err = c.do(func(now time.Time) error {
		c.group.Expire(now)
		shards := c.shards
		if one >= 0 {
			shards = nil
			if sh := c.find(one); sh != nil {
				shards = []*shard{sh}
			}
		}
		list = make([]shardCheckpoint, len(shards))
		fresh := map[int]int{}
		for i, sh := range shards {
			list[i].Shard = sh.id
			cp, ok := c.checkpoints[sh.id]
			if !ok {
				fresh[sh.id] = i
				continue
			}
			list[i].Checkpoint, list[i].UpdateTime, list[i].Consumer = formatCursor(cp.cursor), cp.at.UnixMicro(), cp.by
		}
		if len(fresh) == 0 {
			return nil
		}
		for _, s := range c.group.Snapshot().Shards {
			if i, ok := fresh[s.ID.Number]; ok {
				list[i].Consumer = s.Owner
			}
		}
		return nil
	})
	return list, err
}
