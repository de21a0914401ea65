package heartbeat

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Client is a group service as its members see it. All methods must be safe for
// concurrent use; one Client may serve several members.
type Client interface {
	// Beat sends one heartbeat and returns the answer to it. It must honour ctx,
	// which ends well before the next heartbeat is due, and must not retry: the
	// coordinator does, with a newer heartbeat. The package comment lists its errors.
	Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error)

	// Info describes the service. It does no I/O and always returns the same, but for
	// Guarantees.Ordered: that is a setting of the group, which others may change. It
	// is what the newest answer to a heartbeat found, and before the first one what
	// this client would make the group with.
	Info() Info
}

// Info describes a group service.
type Info struct {
	// Group is the group's name, for logs.
	Group string
	// Guarantees is what the service can promise.
	Guarantees Guarantees
	// TTL is how long a lease lasts, as far as the service knows before it was asked.
	// What counts is the TTL of each answer. Zero: it does not know.
	TTL time.Duration
	// Interval is how often its members should beat, for those that have no opinion of
	// their own. With a TTL, it is that part of the TTL which each answer has. Zero: the
	// service has none either.
	Interval time.Duration
}

// Leaver is the ability to leave a group without waiting for the lease to end.
type Leaver interface {
	// Leave ends the membership. Shards that r still lists as held, those of
	// processors that do not return, stay the member's until its lease ends; all
	// others are free at once. A member that the service does not know, because it
	// has left before for instance, has nothing to leave: that is no error.
	Leave(ctx context.Context, r shardset.Heartbeat) error
}

// Notifier is the ability to push: to tell a member that the answer to its next
// heartbeat will differ.
type Notifier interface {
	// Watch returns a channel that carries a value whenever the member should beat
	// at once. Values may be merged: one is kept while nobody receives. The
	// channel is closed when ctx ends, or when the watch breaks for another reason
	// and has to be made again.
	Watch(ctx context.Context, member string) (<-chan struct{}, error)
}

// Creator is the ability to make the group.
type Creator interface {
	// Create makes the group if there is none.
	Create(ctx context.Context) error
}

// Degradable is the ability to say that a part of the client does not work, without which
// the group goes on, but slower.
type Degradable interface {
	// Degraded returns since when, and why. A nil error means that everything works. It
	// does no I/O.
	Degraded() (since time.Time, err error)
}
