// Package group is the service's side of the consumer group protocol: who is a
// member, which member holds which shard, and when a shard changes hands. Like
// package shardset it is pure: no goroutine, lock, channel, clock or I/O. The
// embedded service, the SLS-compatible server and the replicated stores all keep
// one Group and pass it the time.
//
// # The states of a shard
//
//	        ancestors over          granted, epoch+1
//	wait ---------------------> free ---------------> held ------> over
//	                             ^  ^                 |  ^    read to its end
//	                             |  |  lease ended,   |  |
//	                             |  +-- given back ---+  | next member gone
//	                             |                    v  |
//	                             +--- lease ended -- transfer --> held by the next,
//	                                                      released     epoch+1
//
// A shard in transfer is on its way from its holder to a named next member. It
// changes hands when the holder's heartbeat omits it and shows, by the generation
// that it has seen, that the holder knew of the revocation; or when the holder's
// lease ends. The second half matters: a heartbeat from before the grant omits the
// shard too, and taking it for a release would give the shard two owners.
//
// Members whose heartbeats carry no numbers (Report.Seq is zero) are believed on
// the omission alone, as plain SLS does, and an omitted shard that is not in
// transfer stays theirs: that is how a restarted process gets its shards back.
//
// A shard that is taken out of the list while it is held and put back later is still
// its holder's, unless the holder has let go of it meanwhile. Of shards that were taken out
// and that nobody holds, the group remembers a few thousand; of the others no more than
// that all epochs to come are above theirs.
//
// # The end of finite work
//
// A shard that its owner reports as done stays its owner's. The mark belongs to the
// grant: it goes when the owner no longer says so, when the shard is freed, moved,
// or granted again. While every shard is over or done, answers say Finished. Whose
// shards a member that leaves held gets them as any others, and finds them done.
//
// # Balance
//
// Every member's share is within one of its exact, weighted share. Among all such
// assignments the one that moves the fewest shards is taken, deterministically:
// equal inputs give equal results, whatever the order of events inside a map. With
// more members than shards, the rest stand by. A member that was not heard for half a
// TTL gets nothing more until it is heard, if there are others: what becomes free when
// several expire together does not go to those that are about to.
//
// # Deleted and made anew
//
// A group that is made after another of its name was deleted is its Successor. Who held a
// shard then may work on it until its lease ends, so the shard is in transfer from it, as
// from a former member, until it has left, was evicted, or has started over.
//
// # In a store
//
// A group that several processes keep together in a store is a State there: plain values, of
// which Restore makes the Group again. Leases are not part of it.
package group
