package shardset

import (
	"time"
)

// Grant is one shard of an answer: the shard is assigned to the member under this epoch.
type Grant struct {
	ID ID
	// Epoch rises with every grant of the shard, also to the same member. Zero means that the
	// service has no epochs. The Tracker then makes one from its clock: see Lease.Epoch.
	Epoch uint64
}

// Lease is the right to process one shard until NotAfter. It is a snapshot. Each accepted answer
// extends the lease of a running shard, so do not keep a Lease: call processor.Shard.Lease again.
type Lease struct {
	ID ID
	// Epoch is the number of this grant. A sink can use it to fence: it stores the highest epoch
	// of each shard and refuses lower ones, so a former owner that wakes up late writes nothing.
	//
	// If the service has no epochs (heartbeat.Guarantees.Epochs), Epoch is the time of the grant by
	// the member's wall clock, in microseconds since 1970. It rises from owner to owner as long as
	// the clocks differ by less than the time between two grants of the shard. If they differ by
	// more, the sink refuses the new owner until the new owner's clock has passed the time of the
	// old grant.
	Epoch uint64
	// NotAfter is when the member must have stopped. It is at least Margin before the service
	// may grant the shard to another member.
	NotAfter time.Time
}

// Valid reports whether now is before the end of the lease, by the monotonic and by the wall clock.
// Go's monotonic clock stops while a Linux machine is suspended, so after a resume only the wall
// clock shows that the lease has ended. If someone sets the wall clock forward, a lease can end
// too early, which is safe. Setting it backward changes nothing.
func (l Lease) Valid(now time.Time) bool { return before(now, l.NotAfter) }

// before reports whether now is before t, by the wall clock, and also by the monotonic clock if
// both times have a reading of it.
func before(now, t time.Time) bool {
	return now.Before(t) && now.Round(0).Before(t.Round(0))
}

var unixStart = time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC)

// clockEpoch returns an epoch for a grant at now: the microseconds since 1970 by the wall clock,
// or last+1 if that is higher. The clock is the only rising number that all members share.
func clockEpoch(now time.Time, last uint64) uint64 {
	us := now.Round(0).Sub(unixStart) / time.Microsecond
	return max(last+1, uint64(max(us, 0)))
}

// Margin is how long before the end of its TTL a member stops using a lease. It has two parts. One
// is 1 % of the TTL, for clocks that run at different rates. The other is a tenth of the TTL, at
// most 5 s; in that time, processors stop after their contexts are cancelled.
func Margin(ttl time.Duration) time.Duration {
	return ttl/100 + min(ttl/10, 5*time.Second)
}

// Answer is the group service's answer to a heartbeat. It lists all shards that are assigned
// to the member, not only changes. If Grants is empty, the member is a standby: it drains the
// shards that it still holds.
type Answer struct {
	// Grants lists each shard once, in any order.
	Grants []Grant
	// TTL is how long the service keeps the member's shards after it has received the
	// heartbeat. It belongs to the group, so it comes with each answer.
	TTL time.Duration
	// Generation numbers the versions of the group's assignment. Each heartbeat carries the newest
	// one that the member has seen. If a heartbeat does not list a granted shard, its generation
	// tells the service why: the member has released the shard, or has not seen the grant yet. Zero
	// means that the service has no generations.
	Generation uint64
	// Complete says that all work of the group is complete: there is at least one shard, and
	// each shard is closed, or its owner has reported it as complete. A service that does not
	// count complete shards never sets it.
	Complete bool
}
