package heartbeat

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Client is a group service as its members see it. All methods must be safe for concurrent use.
// One Client may serve several members.
type Client interface {
	// Beat sends one heartbeat and returns the answer. It must respect ctx, which ends well
	// before the next heartbeat is due. It must not try again: the coordinator does, with a
	// newer heartbeat. The package comment lists its errors.
	Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error)

	// Info describes the service. It does no I/O. It always returns the same, except for
	// Guarantees.Ordered, a setting of the group that others may change: before the first
	// answer it is the order with which this client would create the group, then the order
	// that the newest answer found.
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
	// Interval is the time between heartbeats that the service advises to members whose
	// Config has none. If TTL is set too, the advice is a part of the TTL: it changes in
	// proportion to the TTL of the answers. Zero: no advice.
	Interval time.Duration
}

// Leaver is the ability to leave a group before the lease expires.
type Leaver interface {
	// Leave ends the membership. The member keeps the shards that r lists as held, because
	// their processors have not returned, until its lease expires. All others are free at
	// once. Leave returns nil if the service does not know the member, for example because it
	// has left before.
	Leave(ctx context.Context, r shardset.Heartbeat) error
}

// Notifier is the ability to push: to wake a member when the answer to its next heartbeat will
// differ.
type Notifier interface {
	// Watch returns a channel that carries a value whenever the member should send a
	// heartbeat at once. Values may be merged: one is kept while the member does not receive.
	// The channel is closed when ctx ends. It is also closed when the watch breaks; the
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
	// Degraded returns since when a part does not work, and why. A nil error means that
	// everything works. It does no I/O.
	Degraded() (since time.Time, err error)
}
