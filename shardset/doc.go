// Package shardset is the member's side of the consumer group protocol. Its state machine, the
// Tracker, decides which shards a member starts and stops, and when. The package has no
// goroutine, lock, channel, clock or I/O: each event is a method that takes the time and returns
// a complete Plan. The caller, package coordinator, waits, sends, retries and applies the plans.
// Package group is the service's side.
//
// # The idea
//
// A group of members shares the work on a list of shards. Each shard has one owner at a time,
// and the owner runs one processor for it.
//
// A member sends a Heartbeat that lists the shards it holds. The group service sends back
// an Answer that lists the shards assigned to the member. The difference of the two lists
// says what the member does next (diff.go):
//
//   - assigned, not held: start a processor;
//   - held, not assigned: revoke the shard, and release it once its processor has returned;
//   - held and assigned: change nothing.
//
// Apart from the special cases below, nothing else starts or revokes a shard. The other rules
// define which answers count, when a shard is held, and what happens without an answer.
//
// # Words
//
//   - Lease: the right to work on the assigned shards until a certain time. Each accepted answer
//     extends it.
//   - TTL: how long the service keeps the shards of a member that it does not hear from. It is
//     a setting of the group.
//   - Epoch: the number of one grant of a shard. It rises with each grant, so a store can
//     refuse a former owner.
//   - Instance: the number of one run of a member under its name. It rises when the process
//     restarts and when the lease is lost.
//
// # Heartbeats and answers
//
//   - At most one heartbeat is in flight, and only the answer to the newest heartbeat counts. The
//     Tracker drops every older answer.
//   - The Tracker refuses an invalid answer. It never reads an invalid answer as an empty list. An
//     invalid answer has an effect in one case only: if the generation went back, the lease is
//     lost, because the service has lost data and may have granted the shards to other members.
//   - The TTL must have room for three heartbeats (MinHeartbeats). If the user set an interval that
//     is too long, the Tracker refuses the first answer (IntervalError). If the TTL becomes shorter
//     later, the Tracker shortens the interval, but not below ShortestInterval.
//
// # Leases
//
//   - A lease counts from when the heartbeat left: it ends at sent + TTL - Margin(TTL).
//   - If the lease ends before the Tracker has accepted a newer answer, it is lost. The Tracker
//     cancels all shards before the service may grant them to other members.
//   - A lost lease never comes back. The member continues as a new instance of its name, and
//     starts every shard afresh.
//
// # Starting and stopping
//
//   - A shard is held until its processor goroutine has returned and its last commit is
//     settled. Until then each heartbeat lists the shard, and no other member can start it.
//   - If a shard ran here before, it starts again only after the answer to a heartbeat that did not
//     list it. So the new processor reads the checkpoint only after the old one has made its last
//     commit.
//   - A revoked shard drains: its processor finishes what it has and returns. After
//     DrainTimeout the Tracker cancels its context. If the shard is assigned again meanwhile,
//     the drain continues. Once the shard is released, a new processor starts from its
//     checkpoint.
//   - If the epoch of a held shard changes, the Tracker cancels the shard and starts it
//     afresh: another member may have owned it between the two epochs.
//   - If a processor fails and the caller does not retry it, the Tracker starts a new one after
//     RestartPause. Meanwhile the shard stays held, so that it does not move to other members
//     and fail there.
//   - A shard whose work is complete stays held until the service revokes it.
//
// # The end of the work
//
//   - A closed shard gets no more data. When its processor has reached the end, the heartbeat
//     reports the shard as closed, and the service stops assigning it. If the service still
//     assigns the shard in three answers over three intervals, the processor may have stopped
//     too early, so the Tracker starts the shard again. The pause doubles each time the
//     processor reaches the end at once.
//   - A shard that is complete but not closed does not start again.
//   - A finite run is complete when the service says so (Answer.Complete). Some services do not
//     count complete shards. Then a member that has only complete shards waits for one TTL, and
//     leaves. It waits because it may get the shards of an expired member. Other members receive
//     its shards, find their work complete at once, and leave too.
//
// # The states of a shard, as its member sees it
//
// A dash means that the member does not hold the shard.
//
//	from                  event                                           to
//	-                     assigned                                        held
//	-                     assigned, soon after its processor was fenced   restarting
//	held                  revoked, or the member leaves                   draining
//	held                  lease lost, or assigned under another epoch     cancelled
//	held                  processor failed                                restarting
//	held                  processor returned, work complete or closed     complete
//	held                  processor was fenced                            -
//	restarting            RestartPause has passed                         held
//	complete              closed, and still assigned                      held
//	restarting, complete  revoked, leaving, lost, or another epoch        -
//	draining              drain timeout, or lease lost                    cancelled
//	draining, cancelled   processor returned                              -
package shardset
