// Package replicated runs a consumer group on any engine with compare-and-swap. The processes of
// the workers run the group together; there is no coordinator process. Package shardset/group has
// the rules of the group; this package decides which process writes what and when, so that the
// rules hold even if messages are late or lost. The modules natskv and postgres are Stores for it.
// For another engine, implement the four methods of Store; package replicatedtest has the suite
// that every Store must pass.
//
// # What is in the store
//
//	document            the group: members with their instances, shards with owner,
//	                    state and epoch. Written only when one of these changes.
//	record <member>     the member's last heartbeat: its instance, the generation it has
//	                    seen, the shards it holds, those that are complete; or that it has
//	                    left. The member writes it at every heartbeat. Another process may
//	                    write a tombstone over it: the member has expired.
//	checkpoint <shard>  the position, and the fencing token of the owner that claimed it.
//
// Every write is a compare-and-swap of one key. It succeeds only if the key still has the revision
// that the writer saw.
//
// # A heartbeat
//
// Beat writes the member's own record over the revision that it wrote last, and answers from the
// newest document that this process has seen. It reads nothing. That document may be outdated,
// which does no harm. Another member receives a shard only after the owner's own record has
// released it, or after the owner has expired, and in both cases the owner has stopped its work on
// the shard before. If an older document still grants a shard that the member's record has
// released, the answer omits the shard. If another instance or a tombstone has replaced the record,
// Beat returns an error instead of an answer.
//
// # A step
//
// A step applies the records to the document and writes the result. Every process watches the
// document. The processes of the first eight members by name also watch all records. In a group of
// more than 64 members, only the processes of the first three do. When the records require a
// change, the first of these processes makes the step. If it has not done so after 50 ms, the
// second makes it, and so on. Any process may make a step: it depends only on the document and the
// records, and the compare-and-swap puts all steps into one order. One step applies all waiting
// records, so a thousand members that join at once cause a few dozen writes of the document.
//
// No member depends on these first processes, or on a watch of the records. If no process applies a
// member's record within about a second, the member's own process does. That process uses only the
// records of its own members. Other records that it saw earlier may be outdated: a member may have
// left since, and the step would add it again.
//
// If a watch fails, its process logs that at once, and then once in a TTL until the watch works
// again. Client.Degraded returns since when a watch has failed, and why. The process continues
// without the watch, because it also reads the document twice in a TTL.
//
// A step grants a shard only if the shard has no owner, and always under a new epoch. It takes a
// shard from an owner that has not expired only if three conditions hold. The owner's record is of
// the instance in the document. The record omits the shard. The generation in the record shows that
// the owner knew of the grant, and of the revocation if there was one; the record of a leaving
// member needs no such generation.
//
// # Expiry
//
// A member expires when its record has not changed for a TTL. Each process measures that on its own
// monotonic clock, from the time when it received the newest version of the record. The clocks of
// two machines are never compared. A watch that lags expires no living member, because a tombstone
// replaces only the version that the process has measured. If the member has sent a heartbeat
// since, the write of the tombstone conflicts, and the member stays. If the tombstone is written,
// the member's next heartbeat conflicts and returns heartbeat.ErrEvicted, and the member joins as a
// new instance. The engine decides whether the heartbeat or the tombstone came first, and both
// writers see the same order. An expired member has stopped its work before: its lease counts from
// when it sent its last heartbeat, and its expiry from when another process received that
// heartbeat, which is later.
//
// The tombstone is a record, not a change of the document. Any process that sees it can make the
// step, even if the process that wrote it has ended since. A late step that does not know of the
// tombstone may grant a shard to the expired member, but no heartbeat of that member can accept it.
//
// The processes that watch the records find members that send no heartbeats. The other processes
// use probes: twice in a TTL, each of them reads, for each of its own members, the record of the
// next member by name; after the last member comes the first. If such a record has not changed for
// a TTL, the process expires its member, and watches all records itself for three TTLs. So if all
// the first processes end together, their members expire within four TTLs. If no watch of the
// records works, the members expire one after the other.
//
// If the Store is a RecordClock, the processes that watch the records do not measure the age of
// records, but ask the Store which ones are old. Probes work as without it. Probes, and the
// processes that watch the records, also find members that have no record.
//
// A member that leaves writes that into its last record, and the next step applies it.
//
// # Deletion
//
// When a group is deleted, its members work on until they learn of that, or until their leases end.
// So the document of a deleted group keeps the owners of its shards. If the group is created again,
// these owners are its former members, and their shards are in transfer from them. A former member
// gets no shards and sends no heartbeats. The group removes it when its record shows that it has
// ended, when a later instance of its name has joined, or when it expires. It expires after the
// longer TTL of the two groups. When an operator knows that no member works any more, Client.Purge
// removes what is left. Each record shows which group it belongs to, so a record of a deleted group
// adds no member to the next group.
//
// # Fencing
//
// Before a processor starts, the new owner claims the shard's checkpoint: it writes its token,
// which is member, instance and epoch, over the version it has read. From then on every write of an
// earlier owner conflicts, and that owner finds another token. This takes one key, so the engine
// needs no transactions.
//
// # Versions
//
// Documents and records contain the number of their format, and the lowest format that a reader
// must know. Records also show the newest format that their writer knows. The document is written
// in the newest format that all members know. So processes of a newer version can join a running
// group, and the group takes the new format when the last older process has left. From then on, a
// process that does not know the new format refuses the heartbeats of its members, and writes
// neither the document nor tombstones. It can still read the group, if the document allows that. To
// go back to the older version, stop the newer processes first, delete the group by ForceDelete,
// and create it again: its positions are void.
//
// # Damage
//
// If a process cannot read the document, because it is damaged or of a newer version, all
// heartbeats of its members fail: without the document, the process does not know which shards they
// may hold. Their leases end, and members of processes that can read the document receive their
// shards. ForceDelete deletes such a document. A checkpoint that is damaged or of a newer version
// halts only its own shard. To continue, an operator updates the worker or deletes the checkpoint,
// and restarts the worker.
//
// # A store that loses acknowledged writes
//
// If a process finds an older document or an older generation than it has seen, it forgets what it
// knows and ends the instances of its members. If it finds an older record of one of its members,
// it ends the instance of that member. These members join again as new instances. Some work is
// repeated then. One epoch may be granted twice, but never to the same instance, and fencing tokens
// are compared as a whole. Writes that are lost while no process reads, for instance at a failover
// to an old replica, have no worse effect. But until a process notices a loss, two members may work
// on one shard. So run an engine that does not lose writes.
//
// # The TTL
//
// The TTL belongs to the group: the document and every answer contain it. SetTTL changes it in two
// phases. In the first phase the document has the shortest and the longest TTL that may be in use:
// leases have the shortest, and members expire after the longest. The first phase ends when the
// record of each member shows the generation of the change or a later one. Then a process that
// watches all records writes the second phase, with the new TTL alone. So a member's lease always
// ends before the member expires. Three rules ensure that:
//
//   - The first phase lasts until every member has shown that it knows the change. While a process
//     does not know the change, the records of its members do not show it.
//   - A process expires members only if it has read the document within the TTL after which they
//     expire. This covers processes without members, to which the first rule does not apply.
//   - The lease of a heartbeat is at most the TTL that its process knew when it made the record.
//
// # Times
//
// Each process reads the document twice in a TTL, even if its watch works. Its members should send
// four heartbeats in a TTL. When the engine loses a machine, it may accept no writes for some time;
// the TTL must be well over that time.
package replicated
