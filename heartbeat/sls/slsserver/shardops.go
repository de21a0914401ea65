package slsserver

import (
	"slices"
	"strconv"
	"time"
)

// maxSplit is the most shards that one split may create.
const maxSplit = 256

// shardInfo is a shard in the answers of ListShards, SplitShard and MergeShards.
type shardInfo struct {
	ID      int    `json:"shardID"`
	Status  string `json:"status"`
	Begin   string `json:"inclusiveBeginKey"`
	End     string `json:"exclusiveEndKey"`
	Created int64  `json:"createTime"`
}

func (sh *shard) info() shardInfo {
	status := "readwrite"
	if _, _, readonly := sh.bounds(); readonly {
		status = "readonly"
	}
	return shardInfo{sh.id, status, sh.keys.begin.String(), sh.keys.end.String(), sh.created.Unix()}
}

func infos(shards ...*shard) []shardInfo {
	list := make([]shardInfo, len(shards))
	for i, sh := range shards {
		list[i] = sh.info()
	}
	return list
}

func (s *Server) listShards(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	ls.mu.RLock()
	list := infos(ls.shards...)
	ls.mu.RUnlock()
	return c.replyJSON(list)
}

func (s *Server) split(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	n := 2
	if text := c.query.Get("shardCount"); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 2 || n > maxSplit {
			return badParameter("the shardCount %q is not between 2 and %d", text, maxSplit)
		}
	}
	if err := s.roomFor(n); err != nil {
		return err
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	sh, err := ls.writable(c.shard)
	if err != nil {
		return err
	}
	ranges := sh.keys.divide(n)
	if text := c.query.Get("key"); text != "" {
		k, ok := parseKey(text)
		if !ok || n != 2 || k.compare(sh.keys.begin) <= 0 || k.compare(sh.keys.end) >= 0 {
			return badParameter("invalid mid hash")
		}
		ranges = []keyRange{{sh.keys.begin, k}, {k, sh.keys.end}}
	}
	if ranges == nil {
		return badParameter("the shard's range is too small")
	}
	list, err := ls.replace([]*shard{sh}, ranges)
	if err != nil {
		return err
	}
	return c.replyJSON(append(infos(sh), infos(list...)...))
}

func (s *Server) merge(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	left, err := ls.writable(c.shard)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(ls.shards, func(sh *shard) bool {
		_, _, readonly := sh.bounds()
		return !readonly && sh.keys.begin == left.keys.end
	})
	if i < 0 {
		return badParameter("can not merge the last shard")
	}
	right := ls.shards[i]
	list, err := ls.replace([]*shard{left, right}, []keyRange{{left.keys.begin, right.keys.end}})
	if err != nil {
		return err
	}
	return c.replyJSON(append(infos(list...), infos(left, right)...))
}

// writable finds a shard that is not read-only. The caller holds mu.
func (ls *logstore) writable(id int) (*shard, error) {
	sh := ls.find(id)
	if sh == nil {
		return nil, badParameter("invalid shard id %d", id)
	}
	if _, _, readonly := sh.bounds(); readonly {
		return nil, badParameter("invalid shard id %d: it is readonly", id)
	}
	return sh, nil
}

// replace makes the parents read-only and gives their keys to new shards. A put that has already
// picked a parent finds it read-only, and picks a child. The caller holds mu.
func (ls *logstore) replace(parents []*shard, ranges []keyRange) ([]*shard, error) {
	if limit := ls.server.cfg.MaxShards; len(ls.shards)+len(ranges) > limit {
		return nil, fail(403, "ShardQuotaExceed", "the logstore would have more than %d shards", limit)
	}
	now := ls.server.cfg.Clock()
	var ids []int
	for _, p := range parents {
		ids = append(ids, p.id)
		if now.Before(p.created) { // the clock went back
			now = p.created
		}
	}
	ls.shards = slices.Clone(ls.shards)
	var children []*shard
	for _, r := range ranges {
		children = append(children, ls.addShard(r, now, ids))
	}
	for _, p := range parents {
		p.setClosed(now)
	}
	return children, ls.updateGroups(ls.server.cfg.Clock())
}

func (sh *shard) setClosed(at time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.closedAt = at
}
