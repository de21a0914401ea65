package heartbeat

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Client connects members to a group service. All methods must be safe for concurrent use. One
// Client may serve several members.
type Client interface {
	// Beat sends one heartbeat and returns the answer. It must respect ctx, which ends well
	// before the next heartbeat is due. It must not try again: the coordinator does, with a
	// newer heartbeat. The package comment lists its errors.
	Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error)

	// Info describes the service. It does no I/O. Only Guarantees.Ordered may change, because
	// it is a setting of the group: before the first answer it says whether this client would
	// create the group as ordered. After that it says whether the group was ordered at the
	// newest answer.
	Info() Info
}

// Info describes a group service.
type Info struct {
	// Group is the group's name, for logs.
	Group string
	// Guarantees is what the service promises.
	Guarantees Guarantees
	// TTL is how long a lease lasts, as far as the client knows before the first answer. The
	// TTL of each answer replaces it. Zero: unknown.
	TTL time.Duration
	// Interval is the advised time between heartbeats. It is for members whose
	// coordinator.Config has no Interval. If TTL is set too, members change the interval in
	// proportion to the TTL of the answers. Zero: no advice.
	Interval time.Duration
}

// Leaver is the ability to leave a group before the lease expires.
type Leaver interface {
	// Leave ends the membership. r lists as held the shards whose processors have not
	// returned: the member keeps these until its lease expires. All its other shards are free
	// at once. Leave returns nil if the service does not know the member, for example because
	// the member has already left.
	Leave(ctx context.Context, r shardset.Heartbeat) error
}

// Notifier is the ability to push: to wake a member when its next heartbeat will get a different
// answer than its last one.
type Notifier interface {
	// Watch returns a channel that carries a value whenever the member should send a
	// heartbeat at once. While the member does not receive, the channel need keep only one
	// value. The channel is closed when ctx ends. It is also closed when the watch breaks; the
	// coordinator then makes a new one.
	Watch(ctx context.Context, member string) (<-chan struct{}, error)
}

// Creator is the ability to create the group.
type Creator interface {
	// Create creates the group if it does not exist.
	Create(ctx context.Context) error
}

// Degradable is the ability to report that a part of the client does not work, and that the
// group is slower until it works again.
type Degradable interface {
	// Degraded returns when a part stopped working, and the reason. A nil error means that
	// everything works. Degraded does no I/O.
	Degraded() (since time.Time, err error)
}
