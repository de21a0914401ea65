package sls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// checkpoint is the stored position of one shard.
type checkpoint struct {
	Shard int
	// Cursor is the next position to read; empty if nothing was ever committed.
	Cursor string
	// Updated is when it was stored; zero if the service does not say.
	Updated time.Time
	// Consumer is the name of a member. The service does not document whether that is the last
	// member that committed, or the holder. The client does not use it.
	Consumer string
}

type checkpointJSON struct {
	Shard    json.RawMessage `json:"shard"`
	Cursor   *string         `json:"checkpoint"`
	Updated  int64           `json:"updateTime"` // microseconds
	Consumer string          `json:"consumer"`
}

type saveJSON struct {
	Cursor string `json:"checkpoint"`
	Shard  int    `json:"shard"`
}

// Load returns the checkpoint of o's shard, and false if it has none. It ignores the member's name,
// because the service fences only commits.
func (c *Client) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	if err := c.checkOwner(opGetCheckpoint, o); err != nil {
		return "", false, err
	}
	cp, ok, err := c.getCheckpoint(ctx, o.Lease.ID.Number)
	return processor.Position(cp.Cursor), ok && cp.Cursor != "", err
}

// Save stores the position if o's member holds the shard; otherwise the error matches
// processor.ErrNotOwner. The service knows only the member's name, so Save ignores the instance and
// the epoch of o.
func (c *Client) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if err := c.checkOwner(opUpdateCheckpoint, o); err != nil {
		return err
	}
	return c.updateCheckpoint(ctx, o.Member, o.Lease.ID.Number, string(p))
}

func (c *Client) checkOwner(op string, o processor.Owner) error {
	if o.Lease.ID.Log != c.cfg.Logstore {
		return usage(op, "the shard %s is not in the logstore %q", quote(o.Lease.ID.String()), c.cfg.Logstore)
	}
	return nil
}

// getCheckpoint returns the checkpoint of one shard, and false if the group has none. It sends the
// shard number, because otherwise the service returns all checkpoints. It never turns an error into
// "no checkpoint", not even ShardNotExist, because the shard would then start over.
func (c *Client) getCheckpoint(ctx context.Context, shard int) (cp checkpoint, ok bool, err error) {
	switch {
	case c.cfg.Group == "":
		return cp, false, usage(opGetCheckpoint, "the client has no group")
	case shard < 0 || shard > maxShard:
		return cp, false, usage(opGetCheckpoint, "%d is not a shard number", shard)
	}
	q := &call{
		op: opGetCheckpoint, method: http.MethodGet, path: c.groupPath(c.cfg.Group),
		query: []param{{"shard", strconv.Itoa(shard)}},
	}
	err = c.send(ctx, q, readJSON(q.op, func(b []byte) (err error) {
		cp, ok, err = parseCheckpoint(b, shard)
		return err
	}))
	if err != nil {
		return checkpoint{}, false, err
	}
	return cp, ok, nil
}

// ListCheckpoints returns the checkpoints of all shards of the group. The position is empty if a
// shard has none, or one that the client cannot read. The log must be the client's logstore.
func (c *Client) ListCheckpoints(ctx context.Context, log string) (list []processor.Checkpoint, err error) {
	switch {
	case c.cfg.Group == "":
		return nil, usage(opGetCheckpoint, "the client has no group")
	case log != c.cfg.Logstore:
		return nil, usage(opGetCheckpoint, "the log %s is not the logstore %q", quote(log), c.cfg.Logstore)
	}
	q := &call{op: opGetCheckpoint, method: http.MethodGet, path: c.groupPath(c.cfg.Group)}
	err = c.send(ctx, q, readJSON(q.op, func(b []byte) error {
		all, err := parseCheckpoints(b)
		for _, cp := range all {
			list = append(list, processor.Checkpoint{
				ID:       shardset.ID{Log: log, Number: cp.Shard},
				Position: processor.Position(cp.Cursor), Updated: cp.Updated,
			})
		}
		return err
	}))
	return list, err
}

// parseCheckpoints reads a list. A shard whose checkpoint it cannot read gets an empty one. It
// skips an element without a shard number, and refuses a list that has only such elements.
func parseCheckpoints(b []byte) ([]checkpoint, error) {
	var list []checkpoint
	err := parseElements(b, func(w *checkpointJSON, _ error) error {
		n, err := rawNumber(w.Shard)
		if err != nil {
			return errSkip{err}
		}
		cp, err := w.checkpoint(n)
		if err != nil {
			cp = checkpoint{Shard: n}
		}
		list = append(list, cp)
		return nil
	})
	return list, err
}

// parseCheckpoint finds the checkpoint of one shard in a list. A server may also send those of
// other shards; parseCheckpoint ignores faults in them. If it does not find the shard, an element
// without a shard number is an error, because it may be the shard's.
func parseCheckpoint(b []byte, shard int) (cp checkpoint, ok bool, err error) {
	var fault error // of an element without a shard number
	err = parseElements(b, func(w *checkpointJSON, wrong error) error {
		n, err := rawNumber(w.Shard)
		switch {
		case err != nil:
			fault = errSkip{err}
			return fault
		case n != shard:
			return nil
		case ok:
			return fmt.Errorf("it lists shard %d twice", shard)
		case wrong != nil:
			return jsonFault(wrong)
		}
		cp, err = w.checkpoint(shard)
		ok = err == nil
		return err
	})
	if err == nil && !ok {
		err = fault
	}
	if err != nil {
		return checkpoint{}, false, err
	}
	return cp, ok, nil
}

func (w *checkpointJSON) checkpoint(shard int) (checkpoint, error) {
	switch {
	case w.Cursor == nil:
		return checkpoint{}, errors.New("it has no checkpoint")
	case len(*w.Cursor) > maxCursor:
		return checkpoint{}, fmt.Errorf("its checkpoint is longer than %d bytes", maxCursor)
	}
	cp := checkpoint{Shard: shard, Cursor: *w.Cursor, Consumer: bounded(w.Consumer, maxName)}
	if at := unixTime(w.Updated / 1e6); !at.IsZero() {
		cp.Updated = at.Add(time.Duration(w.Updated%1e6) * time.Microsecond)
	}
	return cp, nil
}

// updateCheckpoint stores a position for a shard that the member holds. It never forces the commit:
// a forced commit of an evicted member would overwrite the position of the new owner.
func (c *Client) updateCheckpoint(ctx context.Context, member string, shard int, cursor string) error {
	if err := c.checkMember(opUpdateCheckpoint, member); err != nil {
		return err
	}
	switch {
	case shard < 0 || shard > maxShard:
		return usage(opUpdateCheckpoint, "%d is not a shard number", shard)
	case cursor == "":
		return usage(opUpdateCheckpoint, "the position is empty")
	case len(cursor) > maxCursor || !utf8.ValidString(cursor):
		return usage(opUpdateCheckpoint, "the position is not 1 to %d bytes of UTF-8", maxCursor)
	}
	body, err := json.Marshal(saveJSON{Cursor: cursor, Shard: shard})
	if err != nil {
		return err
	}
	q := &call{
		op: opUpdateCheckpoint, method: http.MethodPost, path: c.groupPath(c.cfg.Group),
		query: []param{{"consumer", member}, {"forceSuccess", "false"}, {"type", "checkpoint"}},
		body:  body, typ: typeJSON,
	}
	return c.send(ctx, q, noResult)
}
