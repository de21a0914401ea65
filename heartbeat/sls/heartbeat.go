package sls

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// Beat sends one heartbeat. The first heartbeat of a client also reads the group's settings. It
// creates the group if it does not exist and Config.MustExist is not set. Beat does not retry.
//
// Beat sends only the member's name and the numbers of the held shards, because the service takes
// no more. It does not send the sequence number, the instance and the generation. The grants have
// no epochs. The answer's TTL is the group's timeout.
//
// The error matches:
//
//   - heartbeat.ErrEvicted if the heartbeat lists shards and the service does not know the member;
//   - heartbeat.ErrGroupNotFound if the group does not exist; see the package comment for how long
//     the service may lag;
//   - heartbeat.ErrUnauthorized if the service refuses the credentials.
//
// heartbeat.Retryable reports whether a retry may succeed. For refused credentials, Error.Retryable
// explains when.
func (c *Client) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	held := make([]int, len(r.Held))
	for i, h := range r.Held {
		if h.ID.Log != c.cfg.Logstore {
			return shardset.Answer{}, usage(opHeartbeat, "the shard %s is not in the logstore %q", quote(h.ID.String()), c.cfg.Logstore)
		}
		held[i] = h.ID.Number
	}
	if _, err := c.settings(ctx); err != nil {
		return shardset.Answer{}, c.retryIfMissing(err)
	}
	numbers, err := c.heartbeat(ctx, r.Member, held)
	switch {
	case errors.Is(err, heartbeat.ErrGroupNotFound):
		return shardset.Answer{}, c.onGroupNotFound(err)
	case errors.Is(err, heartbeat.ErrEvicted):
		c.invalidateSettings()
		return shardset.Answer{}, err
	case err != nil:
		return shardset.Answer{}, c.retryIfMissing(err)
	}
	a := shardset.Answer{TTL: c.onAnswer().Timeout}
	if len(numbers) > 0 {
		a.Grants = make([]shardset.Grant, len(numbers))
	}
	for i, n := range numbers {
		a.Grants[i].ID = shardset.ID{Log: c.cfg.Logstore, Number: n}
	}
	return a, nil
}

// heartbeat sends the numbers of the held shards, and returns the numbers of the assigned ones.
func (c *Client) heartbeat(ctx context.Context, member string, held []int) ([]int, error) {
	if err := c.checkMember(opHeartbeat, member); err != nil {
		return nil, err
	}
	body := append(make([]byte, 0, 2+6*len(held)), '[')
	for i, n := range held {
		if n < 0 || n > maxShard {
			return nil, usage(opHeartbeat, "%d is not a shard number", n)
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = strconv.AppendInt(body, int64(n), 10)
	}
	body = append(body, ']')
	q := &call{
		op: opHeartbeat, method: http.MethodPost, path: c.groupPath(c.cfg.Group),
		query: []param{{"consumer", member}, {"type", "heartbeat"}},
		body:  body, typ: typeJSON, via: c.beats,
	}
	var numbers []int
	err := c.send(ctx, q, readJSON(q.op, func(b []byte) (err error) {
		numbers, err = parseNumbers(b)
		return err
	}))
	return numbers, err
}

// checkMember checks the client's group and the member's name.
func (c *Client) checkMember(op, member string) error {
	if c.cfg.Group == "" {
		return usage(op, "the client has no group")
	}
	if err := shardset.CheckName(member); err != nil {
		return usage(op, "the member name %v", err)
	}
	return nil
}
