// Package group is the service side of the consumer group protocol: which members there are,
// which member holds which shard, and when a shard changes hands. Like package shardset it is
// pure: no goroutine, lock, channel, clock or I/O. The memory service, the SLS-compatible
// server and the replicated stores keep a Group each, and pass it the time.
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
// A shard in transfer was revoked from its owner, and is promised to the next member. It
// changes hands when the owner's heartbeat omits it and shows, by the generation that it has
// seen, that the owner knew of the revocation; or when the owner's lease ends. The generation
// matters: a late heartbeat from before the grant omits the shard too. If that released it,
// the shard would have two owners.
//
// Heartbeats without numbers (Report.Seq is zero), as SLS has them, cannot show this. Then an
// omitted shard in transfer is released, and any other omitted shard stays with its owner:
// so a restarted process gets its shards back.
//
// # Removed and closed shards
//
// A shard that leaves the list, or is closed by Close, may still run at its owner. The group
// remembers the owner until it releases the shard or expires. If the shard comes back before
// that, it is the same owner's. Of removed shards that nobody holds, the group remembers a few
// thousand with their epochs. For the rest it only makes sure that all later epochs are higher.
//
// # Complete work
//
// The owner of a shard may report that the work on it is complete. It keeps the shard, so that
// nobody repeats the work. The report counts for this grant: it ends when the owner no longer
// repeats it, and when the shard is freed, moved or granted again. While every shard is closed
// or complete, answers say Complete. When a member leaves, other members receive its shards
// and find the work already done.
//
// # Balance
//
// Every member's number of shards is within one of its exact, weighted share. Of all such
// assignments, the group takes one that moves the fewest shards. It is deterministic: equal
// events give equal results. If there are more members than shards, the rest stand by.
//
// A member that has sent no heartbeat for half a TTL receives nothing more while others can.
// Otherwise, when several members expire one after the other, the shards of the first would
// go to those that are about to expire.
//
// # Deleted and created again
//
// Successor makes the group that follows a deleted one. The owners of the deleted group may
// work until their leases end. So the new group has them as former members, and their shards
// in transfer, until they leave, expire or join as a new instance.
//
// # In a store
//
// State is a Group as plain values, for processes that keep it together in a store. Restore
// makes the Group again. Leases are not part of it.
package group
