// Package shardset is the member's side of the consumer group protocol, as plain
// values and one state machine, the Tracker. It has no goroutine, lock, channel, clock or
// I/O: time comes as an argument, and the answer to every event is a complete Plan. The
// packages around it wait, call and retry.
//
// # The idea
//
// A member sends a Heartbeat that lists the shards it holds. The group service sends back
// an Answer with the shards that are assigned to the member. The difference of the two lists
// is what the member does next (diff.go):
//
//   - assigned, not held: start a processor;
//   - held, not assigned: revoke the shard, and release it once its processor has returned;
//   - both: go on.
//
// Nothing else starts or revokes a shard. All other rules say when an answer counts, what
// "held" means, and what happens without an answer.
//
// # Heartbeats and answers
//
//   - One heartbeat is in flight, and only the answer to the newest one counts. The Tracker
//     drops any other answer, however late it arrives.
//   - An answer that makes no sense changes nothing. It never means "you hold nothing".
//   - Three heartbeats (MinHeartbeats) fit into the group's TTL. If the operator chose an
//     interval that does not fit, the Tracker refuses the first answer (IntervalError). If
//     the TTL becomes shorter later, the member heartbeats faster.
//
// # Leases
//
//   - A lease counts from when the heartbeat left: it ends at sent + TTL - Margin(TTL).
//   - If no newer answer came by then, the lease is lost: the Tracker cancels all shards,
//     before the service may grant them to other members.
//   - A lost lease never comes back. The member goes on as a new instance of its name, and
//     starts every shard afresh.
//
// # Starting and stopping
//
//   - A shard is held until its processor goroutine has returned and its last commit is
//     settled. Only when it leaves the list can another member start it.
//   - A shard starts only from the answer to a heartbeat that did not list its last run. So
//     its checkpoint is read after the last commit of that run.
//   - A revoked shard drains: its processor is asked to finish, and after DrainTimeout its
//     context is cancelled. A shard that is assigned again meanwhile drains all the same. It
//     is released, and a new processor starts from its checkpoint.
//   - A shard that is assigned under another epoch is cancelled and started afresh: between
//     the two epochs it may have been another member's.
//   - A processor that failed for good is started again after RestartPause. Meanwhile the
//     shard stays held, so that no other member repeats it.
//   - A shard whose work is complete stays held too, until the service revokes it.
//
// # The end of the work
//
//   - When a processor has read a closed shard to its end, the heartbeat reports the shard as
//     closed, and the service stops assigning it. If three answers, over three intervals, still
//     assign it, its end may have come too early, and it starts again. While the end
//     comes at once, the pause doubles. A shard that is only complete does not start again.
//   - A finite run is complete when the service says so (Answer.Complete). Some services do
//     not count. There a member that has only complete shards waits for one TTL, in case that
//     it gets the shards of an expired member, and then leaves. Other members receive its
//     shards, find their work complete at once, and leave in turn.
//
// # The states of a shard, as its member sees it
//
//	           assigned                revoked, leaving
//	(nothing) ---------> held -------------------------> draining
//	    ^                | | \  lease lost                  |   \ lease lost,
//	    |      returned  | |  \___________________________  |    | drain timeout
//	    |      by itself | | failed                       \ |    |
//	    |                v v                               vv    v
//	    |         complete  restarting --(pause)--> held  cancelled
//	    |               \      /                            |
//	    +----------------+----+-----------------------------+
//	        revoked by the service, or goroutine returned
//
// Package group is the service's side.
package shardset
