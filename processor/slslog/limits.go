package slslog

import (
	"errors"
	"fmt"
)

// Limits of the service, in bytes. The service's documents say MB, but its producers count in MiB.
const (
	MaxGroupBytes = 10 << 20 // of a log group before compression
	MaxLogBytes   = 1 << 20  // of one log
	MaxKeyBytes   = 128      // of the key of a content or a tag
)

// LimitError says that an addition to a Builder would break a limit of the service.
type LimitError struct {
	What string // what would be too large: "log group", "log" or "key"
	Size int    // its size, in bytes
	Max  int    // the limit, in bytes
	// GroupFull says that the log group would be too large, so the same addition may fit into a new
	// group. If it is false, the addition fits into no group.
	GroupFull bool
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s of %d bytes, the limit is %d", e.What, e.Size, e.Max)
}

// ErrLogTime: the time of a log is outside the range of the format, 1970 to 2106.
var ErrLogTime = errors.New("time of the log cannot be represented")
