package sls

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// From is a place in a shard: Begin, End or a time (see At).
type From string

const (
	// Begin is the oldest data in the shard.
	Begin From = "begin"
	// End is after the newest data in the shard.
	End From = "end"
)

// At returns the place of the first data that the service received at t or later. It rounds t down
// to a second, and ignores the times in the logs.
func At(t time.Time) From { return From(strconv.FormatInt(t.Unix(), 10)) }

func (f From) validate() error {
	if f == Begin || f == End {
		return nil
	}
	if n, err := strconv.ParseInt(string(f), 10, 64); err != nil || n < 0 || strconv.FormatInt(n, 10) != string(f) {
		return usage(opCursor, "%s is not Begin, End or a time since 1970", quote(string(f)))
	}
	return nil
}

// Cursor returns the cursor of a place in a shard.
func (c *Client) Cursor(ctx context.Context, shard int, from From) (cursor string, err error) {
	if shard < 0 || shard > maxShard {
		return "", usage(opCursor, "%d is not a shard number", shard)
	}
	if err := from.validate(); err != nil {
		return "", err
	}
	q := &call{
		op: opCursor, method: http.MethodGet, path: c.shardPath(shard),
		query: []param{{"from", string(from)}, {"type", "cursor"}},
	}
	err = c.send(ctx, q, readJSON(q.op, func(b []byte) (err error) {
		cursor, err = parseCursor(b)
		return err
	}))
	return cursor, err
}

// CursorTime returns when the service received the data at a cursor. The service does not document
// what it answers for a cursor at the end of a shard.
func (c *Client) CursorTime(ctx context.Context, shard int, cursor string) (at time.Time, err error) {
	switch {
	case shard < 0 || shard > maxShard:
		return at, usage(opCursorTime, "%d is not a shard number", shard)
	case !validCursor(cursor):
		return at, usage(opCursorTime, "%s is not a cursor", quote(cursor))
	}
	q := &call{
		op: opCursorTime, method: http.MethodGet, path: c.shardPath(shard),
		query: []param{{"cursor", cursor}, {"type", "cursor_time"}},
	}
	err = c.send(ctx, q, readJSON(q.op, func(b []byte) (err error) {
		at, err = parseCursorTime(b)
		return err
	}))
	return at, err
}

func parseCursor(b []byte) (string, error) {
	var w struct {
		Cursor string `json:"cursor"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return "", jsonFault(err)
	}
	if !validCursor(w.Cursor) {
		return "", errors.New("its cursor " + shown(w.Cursor) + " is not valid")
	}
	return w.Cursor, nil
}

// CursorNumber returns the number in a cursor, and false if the cursor has none. In the service's
// samples a cursor is a number in base64, and later cursors have higher numbers. The service does
// not promise this, so some cursors may have no number or another order.
func CursorNumber(cursor string) (n int64, ok bool) {
	digits, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(cursor, "=\r\n"))
	if err != nil {
		return 0, false
	}
	n, err = strconv.ParseInt(string(digits), 10, 64)
	return n, err == nil
}

func parseCursorTime(b []byte) (time.Time, error) {
	var w struct {
		Seconds *int64 `json:"cursor_time"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return time.Time{}, jsonFault(err)
	}
	if w.Seconds == nil {
		return time.Time{}, errors.New("it has no cursor_time")
	}
	at := unixTime(*w.Seconds)
	if at.IsZero() {
		return at, errors.New("its cursor_time is not a time")
	}
	return at, nil
}
