package shardset

import "errors"

// Errors that both sides of the protocol share. The packages in which users meet
// them (heartbeat, processor) give them the names to match.
var (
	// ErrEvicted: the service no longer knows this member. All its leases are
	// over; it may rejoin at once with an empty list.
	ErrEvicted = errors.New("member was evicted from the group")

	// ErrStaleHeartbeat: a newer heartbeat of the same member was already seen, or the
	// member has left. The heartbeat changed nothing.
	ErrStaleHeartbeat = errors.New("heartbeat is older than the newest one")

	// ErrNotOwner: the member does not hold the shard under that epoch. Whatever
	// was to be stored was not.
	ErrNotOwner = errors.New("not the owner of the shard")

	// ErrReplaced is matched by *ReplacedError.
	ErrReplaced = errors.New("another process joined under the same member name; give each worker of a host a name of its own (Config.MemberSuffix)")
)

// ReplacedError tells a process that a newer one took over its member name. It
// matches ErrReplaced. Its text leaves the name to the caller, who knows it.
type ReplacedError struct {
	Member string
	Newest uint64 // the instance that has the name now
}

func (e *ReplacedError) Error() string {
	return ErrReplaced.Error()
}

// Is makes errors.Is(err, ErrReplaced) true.
func (e *ReplacedError) Is(target error) bool { return target == ErrReplaced }
