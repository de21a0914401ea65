package heartbeat

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

var (
	// ErrEvicted: the service does not know the member, but the heartbeat listed shards. All
	// leases are lost. The member joins again at once.
	ErrEvicted = shardset.ErrEvicted

	// ErrReplaced: a newer process uses the member's name. It ends Run. A service that knows
	// instances returns a *shardset.ReplacedError, which matches ErrReplaced.
	ErrReplaced = shardset.ErrReplaced

	// ErrStaleHeartbeat: the service has seen a newer heartbeat of this member.
	ErrStaleHeartbeat = shardset.ErrStaleHeartbeat

	// ErrGroupNotFound: the group does not exist. The member creates it if
	// coordinator.Config.CreateGroup is set. Otherwise this ends Run.
	ErrGroupNotFound = errors.New("consumer group not found")

	// ErrUnauthorized: the service refuses this process, because of its credentials, a missing
	// right, or a place that does not exist, such as a database. It ends Run at once. If the
	// error is also Retryable, because an operator may correct the cause, it ends Run when the
	// lease expires; without a lease, after one Info.TTL.
	ErrUnauthorized = errors.New("not authorized")
)

// Retryable reports whether a later heartbeat can succeed after one failed with err. If an error
// in err's chain has a method Retryable() bool, its result decides. Otherwise ErrGroupNotFound,
// ErrUnauthorized and ErrReplaced are final, and all other errors are retryable. A
// context.DeadlineExceeded in the chain is always retryable.
func Retryable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var r interface{ Retryable() bool }
	if errors.As(err, &r) {
		return r.Retryable()
	}
	return !errors.Is(err, ErrGroupNotFound) && !errors.Is(err, ErrUnauthorized) && !errors.Is(err, ErrReplaced)
}

// RetryAfter returns the pause that the service asks for after err, or zero. It is the result of a
// method RetryAfter() time.Duration of an error in err's chain.
func RetryAfter(err error) time.Duration {
	var r interface{ RetryAfter() time.Duration }
	if errors.As(err, &r) {
		return max(r.RetryAfter(), 0)
	}
	return 0
}
