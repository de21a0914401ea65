// Package group is the service side of the consumer group protocol. It decides which processes
// are members, which member holds which shard, and when a shard changes hands. Like package
// shardset it is pure: no goroutine, lock, channel, clock or I/O. The memory service, the
// SLS-compatible server and the replicated stores each keep a Group and pass it the time.
//
// # The states of a shard
//
//	       ancestors closed         granted, epoch+1
//	wait ---------------------> free ---------------> held ------> closed
//	                             ^  ^                 |  ^    read to its end
//	                             |  |  lease ended,   |  |
//	                             |  +--- released ----+  | next member gone
//	                             |                    v  |
//	                             +--- lease ended -- transfer --> held by the next,
//	                                                      released     epoch+1
//
// A shard in transfer was revoked from its owner, and is promised to the next member. To release it,
// the owner sends a heartbeat that omits the shard. The generation of the heartbeat must show that the
// owner knew of the revocation. The shard also moves when the owner's lease ends. The generation is
// necessary, because a delayed heartbeat from before the grant omits the shard too. If that heartbeat
// released the shard, the shard would have two owners.
//
// Heartbeats without numbers (Heartbeat.Seq is zero), as those of SLS, cannot show what the
// owner knew. Then an omitted shard in transfer is released, and any other omitted shard stays
// with its owner, so that a restarted process gets its shards back.
//
// # Removed and closed shards
//
// The owner may still run a shard after the shard has left the list, or after Close. The group
// remembers the owner until the owner releases the shard or expires. If the shard comes back
// before that, the same owner gets it. The group remembers the epochs of a few thousand removed
// shards without an owner. When it forgets one, it makes all later epochs higher than that of
// the forgotten shard.
//
// # Complete work
//
// The owner of a shard may report that the work on it is complete. It keeps the shard, so that no other
// member repeats the work. The report counts for this grant only. It no longer counts when a heartbeat
// of the owner does not repeat it, or when the shard is freed, moved or granted again. While every
// shard is closed or complete, answers have Complete set. When a member leaves, other members receive
// its shards and find the work already done.
//
// # Balance
//
// Every member's number of shards is within one of its exact, weighted share. Among the
// assignments with this property, the group chooses one that moves the fewest shards. The
// choice is deterministic: equal events give equal results. If there are more members than
// shards, the other members stand by.
//
// A member that has sent no heartbeat for half a TTL receives no more shards while other
// members can take them. Otherwise, when several members stop at the same time, the shards of
// the first to expire would go to members that are about to expire, too.
//
// # Deleted and created again
//
// Successor makes a new group in place of a deleted one. The owners in the deleted group may work until
// their leases end. So they are former members of the new group, and their shards are in transfer,
// until they leave, expire, are evicted or join as a new instance.
//
// # In a store
//
// State is a Group as plain values, for several processes that keep one group in a store.
// Restore makes a Group of a State. A State has no leases.
package group
