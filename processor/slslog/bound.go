package slslog

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// skew is how far the service's clock may be from ours. A bound in time is a time of
// the service's; at the end of a shard that nothing is put into any more, only ours can
// tell that it has passed.
const skew = 5 * time.Second

// bound returns where the next read has to stop; empty means nowhere. A bound in time
// has a cursor once it has passed: before, the service takes the end of the shard for
// it. That is final as soon as there is something behind it, or nothing can come in
// front of it any more.
func (r *reader) bound(ctx context.Context, now time.Time) (stop string, err error) {
	if r.until.IsZero() {
		return r.end, nil
	}
	until := roundUp(r.until)
	if now.Before(until.Add(-skew)) {
		return r.end, nil
	}
	c := r.source.client
	final := !now.Before(until.Add(skew))
	end := ""
	if !final {
		// The end comes first. In the other order, what is put between the two would
		// make the old end look like the place of the bound, and be left out.
		if end, err = c.Cursor(ctx, r.shard, sls.End); err != nil {
			return "", err
		}
	}
	if stop, err = c.Cursor(ctx, r.shard, received(until)); err != nil {
		return "", err
	}
	if final || before(stop, end) {
		r.until = time.Time{}
		err = r.stopAt(stop)
		return r.end, err
	}
	if r.end != "" && before(r.end, stop) {
		return r.end, nil
	}
	return stop, nil
}

// stopAt sets the end, unless there is an earlier one.
func (r *reader) stopAt(cursor string) error {
	if _, err := parseCursor(cursor); err != nil {
		return processor.Halt(err) // nobody could tell when it is reached
	}
	if r.end == "" || before(cursor, r.end) {
		r.end = cursor
	}
	return nil
}

// reached reports whether there is nothing left to read before the end.
func (r *reader) reached() bool { return r.end != "" && !before(r.cursor, r.end) }

// roundUp returns the second that begins at t or after it: the service counts seconds,
// and what it received before t must not be left out.
func roundUp(t time.Time) time.Time {
	if s := t.Truncate(time.Second); !s.Equal(t) {
		return s.Add(time.Second)
	}
	return t
}

// before reports whether cursor a comes before b. Cursors are numbers in base64; that is
// documented by samples only, so cursors that are not are never before each other, and
// equal if they are the same text.
func before(a, b string) bool {
	m, err1 := parseCursor(a)
	n, err2 := parseCursor(b)
	if err1 != nil || err2 != nil {
		return a != b
	}
	return m < n
}

// parseCursor returns the number in a cursor.
func parseCursor(s string) (int64, error) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "=\n"))
	if err == nil {
		var n int64
		if n, err = strconv.ParseInt(string(raw), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("slslog: %q is not a cursor", s)
}

// formatCursor is the cursor with a number.
func formatCursor(n int64) string {
	return base64.StdEncoding.EncodeToString(strconv.AppendInt(nil, n, 10))
}
