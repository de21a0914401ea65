package sls

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Shard is one shard of the logstore.
type Shard struct {
	Number int
	// ReadOnly means that the shard was split or merged and takes no more writes.
	ReadOnly bool
	// UnknownStatus is empty if the status is "readwrite" or "readonly". Otherwise it is the status
	// in quotes, and ReadOnly is false.
	UnknownStatus string
	// BeginKey and EndKey, 32 hex digits each, bound the range of hash keys. The range does not
	// contain EndKey.
	BeginKey, EndKey string
	// Created is the time of creation; zero if the service does not say.
	Created time.Time
}

type shardJSON struct {
	Number   json.RawMessage `json:"shardID"`
	Status   string          `json:"status"`
	BeginKey string          `json:"inclusiveBeginKey"`
	EndKey   string          `json:"exclusiveEndKey"`
	Created  int64           `json:"createTime"`
}

func (c *Client) shardPath(shard int) string {
	return "/logstores/" + c.cfg.Logstore + "/shards/" + strconv.Itoa(shard)
}

// ListShards returns the shards of the logstore. A split or merged shard stays in the list as long
// as it has data.
func (c *Client) ListShards(ctx context.Context) ([]Shard, error) {
	q := &call{op: opListShards, method: http.MethodGet, path: "/logstores/" + c.cfg.Logstore + "/shards"}
	return c.shards(ctx, q)
}

// SplitShard splits a shard into two. The second child begins at key, which is 32 lower-case hex
// digits and lies inside the shard's range. SplitShard returns the shard, now read-only, and its
// two children.
func (c *Client) SplitShard(ctx context.Context, shard int, key string) ([]Shard, error) {
	switch {
	case shard < 0 || shard > maxShard:
		return nil, usage(opSplit, "%d is not a shard number", shard)
	case !validKey(key):
		return nil, usage(opSplit, "the key %s is not 32 lower-case hex digits", quote(key))
	}
	q := &call{
		op: opSplit, method: http.MethodPost, path: c.shardPath(shard),
		query: []param{{"action", "split"}, {"key", key}},
	}
	return c.shards(ctx, q)
}

// MergeShards merges a shard with the shard of the next range. It returns the new shard and the two
// old ones, now read-only.
func (c *Client) MergeShards(ctx context.Context, shard int) ([]Shard, error) {
	if shard < 0 || shard > maxShard {
		return nil, usage(opMerge, "%d is not a shard number", shard)
	}
	q := &call{op: opMerge, method: http.MethodPost, path: c.shardPath(shard), query: []param{{"action", "merge"}}}
	return c.shards(ctx, q)
}

func (c *Client) shards(ctx context.Context, q *call) (shards []Shard, err error) {
	err = c.send(ctx, q, readJSON(q.op, func(b []byte) (err error) {
		shards, err = parseShards(b)
		return err
	}))
	return shards, err
}

// parseShards skips elements without a number, and refuses a list that has only such elements. It
// ignores other faults of an element, because a new status of one shard must not hide the other
// shards.
func parseShards(b []byte) ([]Shard, error) {
	list := []Shard{}
	err := parseElements(b, func(w *shardJSON, _ error) error {
		n, err := rawNumber(w.Number)
		if err != nil {
			return errSkip{err}
		}
		s := Shard{
			Number: n, ReadOnly: w.Status == "readonly",
			BeginKey: bounded(w.BeginKey, maxName), EndKey: bounded(w.EndKey, maxName), Created: unixTime(w.Created),
		}
		if !s.ReadOnly && w.Status != "readwrite" {
			s.UnknownStatus = shown(w.Status)
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
