package heartbeat

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

var (
	// ErrEvicted: the service does not know the member, and the heartbeat listed
	// shards. All leases are over; the member rejoins at once.
	ErrEvicted = shardset.ErrEvicted

	// ErrReplaced: a newer process has the member's name. It ends Run. A service
	// that knows instances returns a *shardset.ReplacedError, which matches it.
	ErrReplaced = shardset.ErrReplaced

	// ErrStaleHeartbeat: the service has seen a newer heartbeat of this member.
	ErrStaleHeartbeat = shardset.ErrStaleHeartbeat

	// ErrGroupNotFound: the group does not exist. The member creates it, where it
	// can and was told to; otherwise this ends Run.
	ErrGroupNotFound = errors.New("consumer group not found")

	// ErrUnauthorized: the service refuses this process: its credentials, a right that it
	// has not, or the place that it names, such as a database that does not exist. It ends
	// Run: at once, or, if the error also says that it is Retryable, because the operator may
	// mend it, when the lease is over.
	ErrUnauthorized = errors.New("not authorized")
)

// Retryable reports whether a later heartbeat can succeed where one failed with err.
// Errors say so themselves with a method Retryable() bool, anywhere in their chain;
// ErrGroupNotFound, ErrUnauthorized and ErrReplaced are final; all else may pass.
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

// RetryAfter returns how long the service wants to be left alone after err: what a method
// RetryAfter() time.Duration in err's chain says, or zero.
func RetryAfter(err error) time.Duration {
	var r interface{ RetryAfter() time.Duration }
	if errors.As(err, &r) {
		return max(r.RetryAfter(), 0)
	}
	return 0
}
