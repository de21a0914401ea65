package shardset

import "errors"

// Errors that both sides of the protocol share. Users match them by their names in the
// packages heartbeat and processor.
var (
	// ErrEvicted: the service does not know this member. The lease is lost. The member may
	// rejoin at once with an empty list.
	ErrEvicted = errors.New("member was evicted from the group")

	// ErrStaleHeartbeat: the service has seen a newer heartbeat of this member, or the member
	// has left. The heartbeat changed nothing.
	ErrStaleHeartbeat = errors.New("heartbeat is older than the newest one")

	// ErrNotOwner: the member does not own the shard under that epoch. The service stored
	// nothing.
	ErrNotOwner = errors.New("not the owner of the shard")

	// ErrReplaced: another process has taken over the member name. *ReplacedError matches it.
	ErrReplaced = errors.New("another process joined under the same member name; give each worker of a host a name of its own (Config.MemberSuffix)")
)

// ReplacedError says that a newer process has taken over the member name. It matches ErrReplaced.
// Its text does not have the name: the caller adds it.
type ReplacedError struct {
	Member string
	Newest uint64 // the instance that has the name now
}

func (e *ReplacedError) Error() string {
	return ErrReplaced.Error()
}

// Is makes errors.Is(err, ErrReplaced) true.
func (e *ReplacedError) Is(target error) bool { return target == ErrReplaced }
