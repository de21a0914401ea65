package replicated

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// What the tests compare, and no program needs.
var (
	ErrClosed = errClosed
	ErrNewer  = state.ErrNewer
)

const MinTTL = minTTL

type MismatchError = mismatchError

// Remembered is how many members and claimed checkpoints a Client remembers.
func (c *Client) Remembered() (members, claims int) {
	_ = c.ask(func(o *owner, _ time.Time) { members, claims = o.Scheduler.Remembered() })
	return members, claims
}
