// Package shardset is the member's side of the consumer group protocol, as plain
// values and one state machine. It has no goroutine, lock, channel, clock or I/O:
// time comes as an argument, and the answer to every event is a complete Plan. A
// question that can be answered without waiting is answered here; the packages
// around it wait, call and retry.
//
// # The protocol
//
// A member sends heartbeats that list the shards it holds (Heartbeat). The group
// service answers with the shards it may hold (Answer). The Tracker turns the
// difference into a Plan.
//
//   - One heartbeat is in flight, and only the answer to the newest counts. What an
//     older request or an older lease gave is void, however late it arrives.
//   - A shard is listed until its processor goroutine has returned and its last
//     commit is decided. Leaving the list is what lets another member start it.
//   - A lease counts from when the request left: sent + TTL - Margin(TTL). At that
//     moment, with no newer answer, all shards are cancelled, before the service
//     may give them away. A lease that ended never comes back: the member goes on
//     as a new instance of its name and takes everything afresh.
//   - Three heartbeats fit into the TTL, which is the group's. An interval that somebody
//     chose and that does not fit is refused at the first answer; if the TTL becomes shorter
//     later, the member beats faster.
//   - A revoked shard drains: its processor is asked to finish, and cancelled only
//     after DrainTimeout. A shard that comes back meanwhile is not kept; the drain
//     ends, the shard is released, and a fresh processor starts from the checkpoint.
//   - A shard is started only from an answer to a heartbeat that no longer listed
//     its last run, so that its checkpoint is read after that run's last commit.
//   - A processor that finished by itself, or cannot go on, keeps its shard: it is
//     reported as held, so nobody repeats it unasked, until the service takes it.
//   - A closed shard that was processed to its end is the service's to take back. If it
//     is granted on for three answers and three intervals, it is started again: its end
//     may have come too early. The pause doubles while the end comes at once. A shard of
//     a bounded run is complete, and is not.
//   - Work that has an end ends for a member when the service says that every shard of
//     the group is done (Answer.Complete). Where the service does not count, a member
//     that has nothing but done shards gives way after one TTL: what another held that
//     fell silent before would have come to it by then. What it gives up comes to the
//     others, who find it done at once and give way in turn.
//   - An answer that makes no sense changes nothing. It never means "you own nothing".
//
// # The states of a shard, as its member sees it
//
//	           granted                 revoked, leaving
//	(nothing) ---------> held -------------------------> draining
//	    ^                | | \  lease over                  |   \ lease over,
//	    |      returned  | |  \___________________________  |    | drain timeout
//	    |       by itself| | failed                       \ |    |
//	    |                v v                               vv    v
//	    |             done  cooling --(pause)--> held   cancelled
//	    |               \      /                            |
//	    +----------------+----+-----------------------------+
//	        taken back by the service, or goroutine returned
//
// Package group is the service's side.
package shardset
