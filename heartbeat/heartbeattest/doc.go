// Package heartbeattest is the conformance suite for group services. Run checks that a
// heartbeat.Client, and its store of checkpoints if it has one, keep what the packages
// heartbeat, shardset and processor promise to a member.
//
// The members in the suite are real shardset.Trackers. Where a case needs a heartbeat that no
// Tracker sends, it makes one by hand. A ledger checks all members: two members never hold
// one shard under valid leases at the same time, epochs rise, and a member that starts a
// shard reads the last checkpoint that the service accepted.
//
// Which cases a service has to pass depends on its heartbeat.Guarantees. A case that does not
// apply is skipped and says why. A service that promises AckedRevoke receives Seq, Instance
// and Generation of a shardset.Heartbeat. So it must also refuse stale heartbeats and
// replaced instances.
//
// The answers of a replicated service may lag a little. So no case depends on a single
// heartbeat: members send heartbeats until the condition of the case is true, or its time
// limit has passed.
package heartbeattest
