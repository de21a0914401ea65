// Package replicated runs a consumer group on any engine with compare-and-swap: several
// processes keep the group together, and none of them is its coordinator. The rules of
// the group are those of package shardset/group, as for every other service; this
// package says who writes what when, so that they hold whatever is late or lost.
// Packages natskv and postgres, modules of their own, are its Stores; a Store of your own
// takes four methods, and replicatedtest has the suite that it must pass.
//
// # What is in the store
//
//	document            the group: members with their instances, shards with owner,
//	                    state and epoch. Written only when one of these changes.
//	record <member>     what the member said last: its instance, the generation it has
//	                    seen, what it holds, what it has done; or that it has left; or
//	                    that it is dead. Written by the member, at every heartbeat.
//	checkpoint <shard>  the position, and the fencing token of who claimed it.
//
// Every write is a compare-and-swap of one key on the revision that its writer saw.
//
// # A heartbeat
//
// Beat writes the member's own record over the revision that it wrote last, and answers
// from the newest document that this process has been shown. Nothing is read. That the
// document may not be the newest is harmless: what a member owns ends by its own record,
// or by its silence, and both it knows before anybody else. So two things are kept from
// it that an older document may still grant: what its record has given up, and
// everything once its record was taken from it.
//
// # A step
//
// All processes see the document change; those of the first eight members, by name, are
// shown all records as well, of the first three in a large group, where that costs
// something. When the records ask for another document, the first of them writes it, over
// the revision it is made from; the second does so 50 ms later if the first has not, and
// so on. Who it is, is no matter of safety: the swap puts steps into one order, and each
// is made of the document and the records alone. One step takes in everything that waits,
// so a thousand members that join at once make a few dozen documents.
//
// No member depends on the first ones, or on a watch of the records. What a member says
// and nobody takes up, its own process does, a second or so later. It knows no records
// but those then, and must not: a record that it was shown once and is shown no more may
// be of a member that has gone since, and would bring it back.
//
// A watch that fails is in the log at once, and once in a TTL until it works again, and
// Client.Degraded says since when and why. Its process goes on by reading the document
// twice in a TTL.
//
// A shard is granted only where nobody owns it, under a new epoch. It is taken from its
// owner only if the owner's record is of the instance that the document has, omits the
// shard, and shows a generation at which the owner knew that it had it, and that it had
// to go.
//
// # Death
//
// Silence is measured by one process alone, on its own monotonic clock: from when it
// received a version of a record until that has been the newest for a TTL. No two
// machines' clocks are compared. And nobody dies of a watch that lags: the verdict is a
// swap of the member's record, on that version. If the member has spoken meanwhile, the
// swap conflicts, and it lives. If the verdict is in, it is the member's next heartbeat
// that conflicts: it is told heartbeat.ErrEvicted, and starts over as a new instance.
// Whether the verdict or the heartbeat came first, the engine decides, for both of them
// alike. The member has stopped before, in any case: its lease counts from when it sent
// the heartbeat, and the TTL of the silence from when somebody received it.
//
// The verdict is a record, not a change of the document, so who sees it steps, also if
// whoever passed it is gone by then; and a step that does not know of it, being late,
// grants to the dead nothing that can ever be acknowledged to it.
//
// Those who are shown the records look for the silent. A process that is not reads, twice
// in a TTL, the record of the member behind each of its own, in a ring by name, and
// passes the same verdict on one that has not changed for a TTL. From then on it is shown
// all records itself, for three TTLs. So however many of the first have died together,
// they are found within four TTLs; if no watch of the records works, one after the other.
//
// A Store with a clock of its own (RecordClock) is asked for the silent by those who are shown
// the records, as soon as somebody may be: they need not measure how old a record is. The
// others look at the ring all the same, and members without a record are found by it and
// by those who are shown that there is none.
//
// A member that leaves makes its last record say so: it is taken at once.
//
// # Deletion
//
// Whoever works while the group is deleted goes on until it hears of that, or until its lease
// ends. So the document of a deleted group keeps who owned what, and the one that is made
// after it has them as former members: what they owned is in transfer from them. A former
// member gets nothing, and speaks no more; it is over when its record says so, when a later
// instance of its name has joined, or by the same verdict as any member, after the longer
// one of the two TTLs. Client.Purge removes what is left, when an operator knows that nobody
// works any more. Records name the group that they speak to, so those of a deleted
// group make nobody a member of the next.
//
// # Fencing
//
// Before a processor starts, the new owner claims the shard's checkpoint: it writes its
// token, which is member, instance and epoch, over the version it has read. From then on
// every write of the former owner conflicts, and it finds another token there. That takes
// one key, and no transaction over two.
//
// # Versions
//
// Documents and records say which format they are of, and which one a reader has to know at
// least. Records also say by that which format their writer knows. The document is written in
// the newest format that all members know: so processes of a newer version join a running
// group, and it takes the new format when the last older one has left. A process that is too
// old for that format is refused then, with ErrNewer, and writes neither the document
// nor a verdict. It may look at the group if the document says that it can read it. To go back
// to the older version, stop the newer processes first, delete the group by ForceDelete, and
// make it anew: its positions are void.
//
// # What cannot be read
//
// A document that is damaged, or of a version that cannot be read, ends the heartbeats
// of those who cannot read it: what they may hold is written there, so their leases end,
// and others, who can, take their shards. ForceDelete deletes it. A damaged checkpoint, or
// one of a later version, halts its own shard, until somebody deletes it and the shard is
// started again.
//
// # A store that loses what it has acknowledged
//
// A process that finds a document, a generation or its own record older than it was
// forgets what it knew, ends its instances, and they join anew. Work is done again then.
// An epoch can be given twice, but not to the same instance, and tokens are compared
// whole. What is lost while nobody looks, at a failover to an old replica for instance,
// costs no more than that; but in the time until it is noticed two members may work on
// one shard, so it is for the operator to run an engine that does not lose writes.
//
// # The TTL
//
// The TTL is the group's: the document has it, and every answer tells it. SetTTL changes it in
// two phases. In the first one the document has the shortest and the longest TTL that may be
// in use: members get leases of the shortest, and expire after the longest. When the record of
// each member shows a generation that is not before the change, somebody who is shown all
// records writes the second phase: the new TTL alone. So a lease is never longer than anybody
// waits: a process that has not heard of the change has members that have not shown it; one
// without members judges nobody unless it has read the document within the time that it waits
// for; and a heartbeat gets no longer lease than the document allowed when its record was made.
//
// # Times
//
// As long as there is a group each process reads the document twice in a TTL, whatever
// the watch says, and its members should beat four times. A TTL has to be well over the time for which the
// engine takes no writes when it loses a machine.
package replicated
