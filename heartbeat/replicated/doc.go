// Package replicated runs a consumer group on any engine with compare-and-swap. Several processes
// keep the group together, and no process is its coordinator. Package shardset/group has the
// rules of the group; this package decides which process writes what and when, so that the rules
// hold whatever is late or lost. The modules natskv and postgres are Stores for it. A Store of
// your own takes four methods, and package replicatedtest has the suite that it must pass.
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
// Every write is a compare-and-swap of one key on the revision that its writer saw.
//
// # A heartbeat
//
// Beat writes the member's own record over the revision that it wrote last, and answers from the
// newest document that this process has seen. It reads nothing. An answer from an older document
// does no harm: a member loses a shard only by its own record, or by its silence, and it learns of
// either before any process applies it. An older document may still grant a shard that the member's
// record has released: the answer leaves that shard out. If another instance or a tombstone has
// replaced the record, Beat returns an error instead of an answer.
//
// # A step
//
// A step writes the document that the records ask for. Every process watches the document. The
// processes of the first eight members by name also watch all records; in a group of more than 64
// members, those of the first three. When the records ask for a change, the first of them makes
// the step; 50 ms later the second makes it if the first has not, and so on. Any process may make
// a step: the swap puts steps into one order, and each is made of the document and the records
// alone. One step applies everything that waits, so a thousand members that join at once make a
// few dozen documents.
//
// No member depends on the first processes, or on a watch of the records. If no process applies a
// member's record within about a second, the member's own process does. It then uses only the
// records of its own members. A record of another member that it saw earlier may be outdated: that
// member may have left, and the step would add it again.
//
// A watch that fails is logged at once, and then every TTL until it works again;
// Client.Degraded returns since when and why. Its process goes on by reading the document twice
// in a TTL.
//
// A step grants a shard only if it has no owner, under a new epoch. It takes a shard from its
// owner only if the owner's record is of the instance that the document has, omits the shard, and
// shows a generation at which the owner knew that it had the shard, and that it had to release
// it.
//
// # Expiry
//
// A member expires when its record has not changed for a TTL. Each process measures that alone, on
// its own monotonic clock: the time begins when it receives a version of the record, and ends when
// that version has been the newest for a TTL. Clocks of two machines are never compared. A watch
// that lags expires no member, because the tombstone is a swap of the member's record, over that
// very version. If the member has sent a heartbeat meanwhile, the swap conflicts, and the member
// lives. If the tombstone is written, the member's next heartbeat conflicts and returns
// heartbeat.ErrEvicted, and the member joins as a new instance. The engine decides whether the
// heartbeat or the tombstone came first, and both writers see the same order. In any case the
// member has stopped its work before: its lease counts from when it sent the heartbeat, and the TTL
// of its silence from when another process received it.
//
// The tombstone is a record, not a change of the document. Any process that sees it makes the step,
// also if its writer has died since. A late step that does not know of the tombstone may grant a
// shard to the expired member, but no heartbeat of that member can accept it.
//
// The processes that watch the records look for silent members. Every other process reads, twice
// in a TTL, the record of the member behind each of its own, in a ring by name, and expires one
// that has not changed for a TTL. It then watches all records itself for three TTLs. So if the
// first processes have died together, their members expire within four TTLs; if no watch of the
// records works, one after the other.
//
// If the Store is a RecordClock, the processes that watch the records ask it for the silent
// members, instead of measuring the age of records. The ring is the same. The ring and the
// processes that watch the records also find members without a record.
//
// A member that leaves says so in its last record, which the next step applies.
//
// # Deletion
//
// A member of a group that is deleted works on until it hears of that, or until its lease ends. So
// the document of a deleted group keeps the owners of its shards. The group that is created after
// it has them as former members, and what they owned is in transfer from them. A former member
// gets no shards and sends no heartbeats. It is gone when its record says so, when a later
// instance of its name has joined, or when it expires, after the longer one of the two TTLs.
// Client.Purge removes what is left, once an operator knows that no member works any more.
// Records name the group that they belong to, so those of a deleted group make no members of the
// next.
//
// # Fencing
//
// Before a processor starts, the new owner claims the shard's checkpoint: it writes its token,
// which is member, instance and epoch, over the version it has read. From then on every write of
// an earlier owner conflicts and finds another token. That takes one key, and no transaction over
// two.
//
// # Versions
//
// Documents and records carry their format, and the oldest one that a reader has to know. Records
// also carry the newest format that their writer knows. The document is written in the newest
// format that all members know. So processes of a newer version join a running group, and the
// group takes the new format when the last older process has left. Heartbeats of a process that is
// too old for it are refused then, and the process writes neither the document nor a tombstone. It
// may still read the group, if the document allows that. To go back to the older version, stop the
// newer processes first, delete the group by ForceDelete, and create it anew: its positions are
// void.
//
// # Damage
//
// A document that is damaged, or of a newer version, ends the heartbeats of the processes that
// cannot read it: it says what their members may hold. Their leases end, and other processes, which
// can read it, take their shards. ForceDelete deletes it. A damaged checkpoint, or one of a newer
// version, halts its own shard, until an operator deletes it and the shard is started again.
//
// # A store that loses acknowledged writes
//
// If a process finds an older document, an older generation or an older record of its own than it
// has seen, it forgets what it knew and ends its instances, which join anew. Some work is repeated
// then. An epoch can be given twice, but not to the same instance, and tokens are compared as a
// whole. Writes that are lost while no process looks, at a failover to an old replica for instance,
// cost no more than that. But until the loss is noticed two members may work on one shard, so run
// an engine that does not lose writes.
//
// # The TTL
//
// The TTL is the group's: the document has it, and every answer carries it. SetTTL changes it in
// two phases. In the first one the document has the shortest and the longest TTL that may be in
// use: leases have the shortest, and members expire after the longest. When the record of each
// member shows a generation that is not before the change, a process that watches all records
// writes the second phase: the new TTL alone. So a lease is never longer than the silence after
// which its member expires. Three rules ensure that:
//
//   - The first phase lasts until every member has shown that it knows the change. A process that
//     does not know it has members that have not shown it.
//   - A process without members expires no member unless it has read the document within that
//     silence.
//   - A heartbeat gets no longer lease than the document allowed when its record was made.
//
// # Times
//
// Each process reads the document twice in a TTL, whatever the watch says. Its members should send
// four heartbeats in a TTL. A TTL must be well over the time for which the engine takes no writes
// when it loses a machine.
package replicated
