package slslog

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// readEnd returns the cursor where the next read has to end. Empty means that this read has no end.
//
// The service has no cursor for a time in the future: it returns the end of the shard instead. So the
// cursor of r.until is final only in two cases: the shard has logs after that cursor, or the service's
// clock has certainly passed the time, so that no more logs can come before it.
func (r *reader) readEnd(ctx context.Context, now time.Time) (cursor string, err error) {
	if r.until.IsZero() {
		return r.end, nil
	}
	c, until, now := r.source.client, roundUp(r.until), now.Round(0)
	least, most := c.ClockOffset()
	if now.Add(most).Before(until) {
		return r.end, nil
	}
	final := !now.Add(least).Before(until)
	shardEnd := ""
	if !final {
		// This request must come before the one for the cursor of the time. In the other order, logs
		// could arrive between the two requests. Then the cursor of the time would look final, and
		// these logs would be left out.
		if shardEnd, err = c.Cursor(ctx, r.shard, sls.End); err != nil {
			return "", err
		}
	}
	if cursor, err = c.Cursor(ctx, r.shard, fromTime(until)); err != nil {
		return "", err
	}
	if final { // check again: the request has measured the offset anew, and a clock may have been set
		least, _ = c.ClockOffset()
		final = !now.Add(least).Before(until)
	}
	if final || shardEnd != "" && before(cursor, shardEnd) {
		if err := r.endAt(cursor); err != nil {
			return "", err
		}
		r.until = time.Time{}
		return r.end, nil
	}
	if r.end != "" && before(r.end, cursor) {
		return r.end, nil
	}
	return cursor, nil
}

// endAt sets the end of the reader, unless an earlier end is set.
func (r *reader) endAt(cursor string) error {
	if _, ok := sls.CursorNumber(cursor); !ok {
		return fmt.Errorf("slslog: %q is not a cursor", cursor)
	}
	if r.end == "" || before(cursor, r.end) {
		r.end = cursor
	}
	return nil
}

// reached reports whether everything before the end was read.
func (r *reader) reached() bool { return r.end != "" && !before(r.cursor, r.end) }

// serviceTime returns the service's time at our time now. It is an estimate.
func (s *Source) serviceTime(now time.Time) time.Time {
	least, most := s.client.ClockOffset()
	return now.Round(0).Add(least + (most-least)/2)
}

// roundUp rounds t up to a second. The service counts seconds, and logs that it received before t must
// not be left out.
func roundUp(t time.Time) time.Time {
	if s := t.Truncate(time.Second); !s.Equal(t) {
		return s.Add(time.Second)
	}
	return t.Round(0) // without the monotonic reading, which does not follow a clock that is set
}
