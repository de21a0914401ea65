package shardset

import (
	"time"
)

// Grant is one shard of an answer: the shard is assigned to the member under this epoch.
type Grant struct {
	ID ID
	// Epoch rises with every change of owner, and with every new grant to the
	// same one. Zero means that the service has no epochs; the Tracker then makes
	// one from its clock: see Lease.Epoch.
	Epoch uint64
}

// Lease is the right to process one shard until NotAfter. It is a snapshot: each accepted
// answer extends the lease of a running shard, so ask for it again
// (processor.Shard.Lease) rather than keep it.
type Lease struct {
	ID ID
	// Epoch is the fencing token's number: a sink that remembers the highest
	// epoch per shard and refuses lower ones is safe from a paused former owner.
	// Where the service has no epochs (heartbeat.Guarantees.Epochs), it is the time of
	// the grant by the member's wall clock, in microseconds since 1970. It rises over
	// restarts and members as long as two clocks differ by less than the time between
	// two grants of the shard. If they differ by more, the sink refuses the new owner
	// until its clock has passed the time of the old grant.
	Epoch uint64
	// NotAfter is when the lease ends for its holder: Margin before the moment at which
	// the service may grant the shard to another member.
	NotAfter time.Time
}

// Valid reports whether the lease still holds at now. It believes the less
// favourable of the monotonic and the wall clock: Go's monotonic clock stands
// still while a Linux machine is suspended, so after a resume only the wall clock
// knows that the lease has ended. A wall clock set forward can end a lease early,
// which is the safe side; one set backward changes nothing.
func (l Lease) Valid(now time.Time) bool { return before(now, l.NotAfter) }

// before reports whether now precedes t by every clock that both of them carry.
func before(now, t time.Time) bool {
	return now.Before(t) && now.Round(0).Before(t.Round(0))
}

var unixStart = time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC)

// clockEpoch returns an epoch for a grant at now that is higher than last: the wall
// clock's microseconds since 1970. Members have no other number in common that rises.
func clockEpoch(now time.Time, last uint64) uint64 {
	us := now.Round(0).Sub(unixStart) / time.Microsecond
	return max(last+1, uint64(max(us, 0)))
}

// Margin is how much earlier than its TTL a lease ends for the holder: 1 % for two
// clocks that run at different rates, and a tenth of the TTL, at most 5 s, for the
// processors to stop after their contexts are cancelled.
func Margin(ttl time.Duration) time.Duration {
	return ttl/100 + min(ttl/10, 5*time.Second)
}

// Answer is the group service's answer to a heartbeat. It lists all shards that are assigned
// to the member, not only changes. An empty Grants means that the member is a standby: it
// drains what it still holds.
type Answer struct {
	// Grants lists each shard once, in any order.
	Grants []Grant
	// TTL is how long the service keeps the member's shards after it has received the
	// heartbeat. It belongs to the group, so it comes with each answer.
	TTL time.Duration
	// Generation numbers the states of the group's assignment. Each heartbeat carries the
	// newest one that the member has seen. From that, the service knows whether the member
	// has released a shard that it does not list, or has not seen its grant yet. Zero: the
	// service has no generations.
	Generation uint64
	// Complete says that all work of the group is complete: there is at least one shard,
	// and every shard is closed or was reported as complete by the member that holds it.
	// A service that does not count them never sets it.
	Complete bool
}
