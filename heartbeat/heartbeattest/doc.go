// Package heartbeattest is the conformance suite of the group services: Run checks a
// heartbeat.Client, and the store of checkpoints that goes with it, against all that
// packages heartbeat, shardset and processor promise a member.
//
// The suite plays members with real shardset.Trackers, and by hand where it needs a
// heartbeat that no Tracker would send. A ledger watches all of them: no shard is
// believed in by two members at once, epochs rise, and whoever starts a shard reads
// what was last accepted for it.
//
// What a service has to pass depends on what it promises, heartbeat.Guarantees. A
// case that does not apply is skipped and says why. AckedRevoke takes a wire that
// carries the numbers of a shardset.Heartbeat, so a service that promises it is expected
// to refuse stale heartbeats and replaced instances too. Nothing is expected of a single
// heartbeat, because the answers of a replicated service may lag a little: the cases
// go on beating until what they wait for is there, or its time is up.
package heartbeattest
