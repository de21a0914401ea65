package slslog

import (
	"errors"
	"fmt"
)

// Limits of the service, in bytes. Its documents say MB; these are the units that its own
// producers use.
const (
	MaxGroupBytes = 10 << 20 // of a log group before compression
	MaxLogBytes   = 1 << 20  // of one log
	MaxKeyBytes   = 128      // of the key of a content or a tag
)

// LimitError says that the service would refuse what a Builder was given.
type LimitError struct {
	What string // what is too large: "log group", "log" or "key"
	Size int    // its size, in bytes
	Max  int    // the limit
	// GroupFull says that the log group would be too large: what was refused may fit in the
	// next group. Otherwise it fits in none.
	GroupFull bool
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s of %d bytes, the most is %d", e.What, e.Size, e.Max)
}

// ErrLogTime: the format cannot express the time of a log. It must be from 1970 to 2106.
var ErrLogTime = errors.New("time of the log cannot be represented")
