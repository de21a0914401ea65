package coordinator

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// ErrRunTwice is returned by a second call of Run.
var ErrRunTwice = errors.New("coordinator: Run was called before")

// ErrNotOrdered is returned by Run if Config.Require asks for an ordered group, and the group is
// not ordered or no longer ordered.
var ErrNotOrdered = errors.New("the group is not ordered, which Config.Require asks for")

// DrainError names what was still running when Run had to return. Run leaves only these
// goroutines behind. Their shards were not released: the group assigns them to other members
// when the lease expires.
type DrainError struct {
	// Timeout is Config.DrainTimeout.
	Timeout time.Duration
	// Shards lists the shards whose processors had not returned, sorted.
	Shards []shardset.ID
	// Parts lists the parts of the coordinator that waited for other code: "heartbeat" or
	// "leave" for a client that ignores its context, "hooks" for a hook that does not return,
	// "log" for a logger that does not return.
	Parts []string
}

func (e *DrainError) Error() string {
	var what []string
	if len(e.Shards) > 0 {
		what = append(what, fmt.Sprintf("%d processors still run: %s", len(e.Shards), list(e.Shards)))
	}
	if len(e.Parts) > 0 {
		what = append(what, "still waiting: "+strings.Join(e.Parts, ", "))
	}
	return fmt.Sprintf("coordinator: not drained after %v: %s", e.Timeout, strings.Join(what, "; "))
}

// list names the first few of many shards.
func list(ids []shardset.ID) string {
	const most = 10
	var b strings.Builder
	for i, id := range ids {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(ids)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(id.String())
	}
	return b.String()
}
