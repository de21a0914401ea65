package slslog

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// bound returns the cursor where the next read has to stop; empty means nowhere. A time has a cursor
// only when it has passed: before, the service returns the end of the shard instead. The cursor is
// final once the shard has something after it, or nothing can come before it any more: when the
// service's clock, at the earliest that it can be, has passed the time.
func (r *reader) bound(ctx context.Context, now time.Time) (stop string, err error) {
	if r.until.IsZero() {
		return r.end, nil
	}
	c, until, now := r.source.client, roundUp(r.until), now.Round(0)
	least, most := c.ClockOffset()
	if now.Add(most).Before(until) {
		return r.end, nil
	}
	final := !now.Add(least).Before(until)
	end := ""
	if !final {
		// The end first. In the other order, logs that come between the two requests would make the
		// old end look like the final cursor, and be left out.
		if end, err = c.Cursor(ctx, r.shard, sls.End); err != nil {
			return "", err
		}
	}
	if stop, err = c.Cursor(ctx, r.shard, fromTime(until)); err != nil {
		return "", err
	}
	if final { // the answer has measured the clocks again, and one of them may have been set
		least, _ = c.ClockOffset()
		final = !now.Add(least).Before(until)
	}
	if final || end != "" && before(stop, end) {
		if err := r.stopAt(stop); err != nil {
			return "", err
		}
		r.until = time.Time{}
		return r.end, nil
	}
	if r.end != "" && before(r.end, stop) {
		return r.end, nil
	}
	return stop, nil
}

// stopAt sets the end, unless there is an earlier one.
func (r *reader) stopAt(cursor string) error {
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

// serviceTime returns about what the service's clock shows when ours shows now.
func (s *Source) serviceTime(now time.Time) time.Time {
	least, most := s.client.ClockOffset()
	return now.Round(0).Add(least + (most-least)/2)
}

// roundUp returns the second that begins at t or later: the service counts seconds, and what it
// received before t must not be left out.
func roundUp(t time.Time) time.Time {
	if s := t.Truncate(time.Second); !s.Equal(t) {
		return s.Add(time.Second)
	}
	return t.Round(0) // without the monotonic reading, which does not follow a clock that is set
}
