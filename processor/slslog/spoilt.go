package slslog

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// largeFor is how long the smallest page has to be too large before the shard is
// halted. Something on the way may have spoiled the header that says so.
const largeFor = 5 * time.Second

// overBound is the error of a page above a bound.
func (r *reader) overBound(groups, size, bound int) error {
	return &TooLargeError{Shard: r.shard, Cursor: r.cursor, Groups: groups, Size: size, Max: bound}
}

// tooLarge is the error of a page that cannot be smaller.
func (r *reader) tooLarge(now time.Time, err error) error {
	if r.large.IsZero() {
		r.large = now
	}
	if now.Sub(r.large) < largeFor {
		return err
	}
	return processor.Halt(err)
}

// spoilt is the error of a page that does not decompress, or is no list of log groups.
func (r *reader) spoilt(err error) error {
	return fmt.Errorf("slslog: page of shard %d at %q: %w", r.shard, r.cursor, err)
}
