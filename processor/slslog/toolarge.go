package slslog

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// haltTooLargeAfter is how long the smallest page has to be too large before the shard is
// halted. Something on the way may have spoiled the header that says so.
const haltTooLargeAfter = 5 * time.Second

// tooLargeError is the error of a page above a bound.
func (r *reader) tooLargeError(groups, size, bound int) error {
	return &TooLargeError{Shard: r.shard, Cursor: r.cursor, Groups: groups, Size: size, Max: bound}
}

// haltIfStillTooLarge is the error of a page that cannot be smaller.
func (r *reader) haltIfStillTooLarge(now time.Time, err error) error {
	if r.tooLargeSince.IsZero() {
		r.tooLargeSince = now
	}
	if now.Sub(r.tooLargeSince) < haltTooLargeAfter {
		return err
	}
	return processor.Halt(err)
}

// damaged is the error of a page that does not decompress, or is no list of log groups.
func (r *reader) damaged(err error) error {
	return fmt.Errorf("slslog: page of shard %d at %q: %w", r.shard, r.cursor, err)
}
