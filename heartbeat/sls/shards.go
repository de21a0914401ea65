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
	// ReadOnly: it was split or merged, and takes no more writes.
	ReadOnly bool
	// OddStatus is what the service says in place of "readwrite" and "readonly", quoted.
	// It is empty for those two. What it means is not known, so ReadOnly is false.
	OddStatus string
	// BeginKey and EndKey are its range of hash keys, 32 hex digits each, the end
	// excluded.
	BeginKey, EndKey string
	// Created is when it came to be; zero if the service does not say.
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

// ListShards returns the shards of the logstore, those that were split or merged
// included as long as they have data. It leaves out elements of the answer that have no
// number; an answer of nothing else is a *ResponseError.
func (c *Client) ListShards(ctx context.Context) ([]Shard, error) {
	q := &call{op: opListShards, method: http.MethodGet, path: "/logstores/" + c.cfg.Logstore + "/shards"}
	return c.shards(ctx, q)
}

// SplitShard splits a shard in two at a hash key inside its range. It returns the shard,
// which is now read-only, and its children.
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

// MergeShards merges a shard with its neighbour on the right. It returns the new shard
// and the two old ones, which are now read-only.
func (c *Client) MergeShards(ctx context.Context, shard int) ([]Shard, error) {
	if shard < 0 || shard > maxShard {
		return nil, usage(opMerge, "%d is not a shard number", shard)
	}
	q := &call{op: opMerge, method: http.MethodPost, path: c.shardPath(shard), query: []param{{"action", "merge"}}}
	return c.shards(ctx, q)
}

func (c *Client) shards(ctx context.Context, q *call) (shards []Shard, err error) {
	err = c.send(ctx, q, intoJSON(q.op, func(b []byte) (err error) {
		shards, err = parseShards(b)
		return err
	}))
	return shards, err
}

// parseShards leaves out elements that have no number. What else is odd about one is left
// out of its shard: a new state of one shard must not hide what the others are.
func parseShards(b []byte) ([]Shard, error) {
	list := []Shard{}
	err := parseElements(b, func(w *shardJSON, _ error) error {
		n, err := rawNumber(w.Number)
		if err != nil {
			return errOdd{err}
		}
		s := Shard{
			Number: n, ReadOnly: w.Status == "readonly",
			BeginKey: bounded(w.BeginKey, maxName), EndKey: bounded(w.EndKey, maxName), Created: unixTime(w.Created),
		}
		if !s.ReadOnly && w.Status != "readwrite" {
			s.OddStatus = shown(w.Status)
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
