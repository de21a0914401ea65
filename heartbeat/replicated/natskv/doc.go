// Package natskv runs a consumer group on NATS JetStream. The workers may run on several
// machines and need no other service.
//
//	conn, err := nats.Connect("nats://a,nats://b,nats://c", natskv.Options()...)
//	...
//	client, err := natskv.New(natskv.Config{
//		Conn: conn, Group: "orders", Replicas: 3, Shards: shardset.Range("orders", 64),
//	})
//	...
//	defer client.Close()
//
// Set the client as coordinator.Config.Group. It also stores the checkpoints. On one machine,
// package embedded runs the server inside the worker.
//
// # Storage
//
// A namespace has two key-value buckets, which all its groups share. The first write
// creates them; a read never does.
//
//	G_<namespace>   files    <group>.doc           members, shards, owners and epochs
//	                         <group>.cp.<shard>    checkpoints
//	M_<namespace>   memory   <group>.m.<member>    the record of each member: its last heartbeat
//
// Characters that a key must not have are escaped. Records are in memory, so that a slow
// disk cannot make a member lose its lease. When all nodes restart, the records are lost and
// every member receives its shards anew. With Config.RecordsOnDisk, a restart within the TTL
// moves no shard.
//
// An operator may create a bucket first, for example with a placement or with limits. The
// client then uses it as it is. The client refuses a bucket if its values could expire, if a
// document could be too large for it, or if it could lose an acknowledged write.
//
// Reads go to the leader of the bucket. With AllowDirect, any replica may answer: under load,
// more than one read in ten was stale. So the client switches AllowDirect off.
//
// When a member has left or expired, its record is deleted. JetStream then keeps a deletion
// marker of a few hundred bytes. The marker expires after an hour if the servers have version
// 2.11 or later and the bucket allows it (AllowMsgTTL, which the client switches on). The
// following markers do not expire. To remove them, purge their subjects from the stream:
//
//   - markers on older servers
//   - markers in a bucket on disk or with a history: without the marker, the deleted value could
//     become visible again
//   - the marker of each checkpoint that Client.Purge deletes
//
// # Permissions
//
// If the connection's user has limited permissions, it needs these. <stream> stands for both
// KV_G_<namespace> and KV_M_<namespace>.
//
//	publish    $KV.G_<namespace>.>
//	           $KV.M_<namespace>.>
//	           $JS.API.STREAM.INFO.<stream>
//	           $JS.API.STREAM.MSG.GET.<stream>
//	           $JS.API.STREAM.CREATE.<stream>          KV_G only if no operator creates it
//	           $JS.API.STREAM.UPDATE.<stream>          to switch AllowDirect off in both,
//	                                                   and AllowMsgTTL on in KV_M if it
//	                                                   is in memory
//	           $JS.API.STREAM.DELETE.KV_M_<namespace>  to create it anew with higher revisions
//	                                                   after all nodes have lost it
//	           $JS.API.CONSUMER.CREATE.KV_M_<namespace>.>
//	           $JS.API.CONSUMER.DELETE.KV_M_<namespace>.*  without it, consumers stay 10 s longer
//	           rollcall.<namespace>.>                  hints that a document has changed
//	subscribe  _INBOX.>                                or the prefix of nats.CustomInboxPrefix
//	           rollcall.<namespace>.>
//
// If a request is not permitted, a NATS server does not answer it, and reports the violation to
// the connection. So the client wraps the connection's error handler. The original handler still
// gets every error. A call without permission ends at once. Its error names the permission and
// matches heartbeat.ErrUnauthorized. The worker retries while its lease lasts, or for one TTL if
// it has no lease. Then it ends.
//
// If the program sets another error handler later, that handler must call the one that
// nats.Conn.ErrorHandler returned. Otherwise a call without permission ends only at its
// timeout.
//
// # Number of processes
//
// A process that changes the document publishes a hint, the new revision, to
// rollcall.<namespace>.<group>. That subject belongs to no stream. The other processes then read
// the document from the leader. This needs no JetStream consumer, so the server does not limit
// the number of processes. A lost hint delays a process by at most 5/8 of a TTL, or 2.5 s if that
// is more.
//
// Some processes of a group also watch the records, each through a consumer: eight processes, or
// three if the group has more than 64 members. A bucket that the client creates allows 100,000
// consumers. A bucket that was created without a limit has the server's default, 1,000 for all
// groups of the namespace. If the limit prevents a watch, the client logs an error with the
// command that raises the limit.
//
// # What JetStream can lose
//
// JetStream acknowledges a write when a majority of the nodes have received it. By default,
// a node syncs to disk every two minutes. So if all nodes lose power at once, the
// acknowledged writes of the last two minutes can be lost. To prevent that, set
// sync_interval: always in the jetstream block of each server. CheckSync reports whether it
// is set.
//
// After such a loss, work is repeated. No two owners get the same fencing token, because a
// token contains a random instance beside the epoch.
//
// # The TTL
//
// When the node that leads a stream fails, JetStream elects a new leader within 5 to 7 seconds.
// Until then, members cannot send heartbeats. With a TTL shorter than that, all members lose
// their shards in each such failover. So the default is 20 s, and New warns below 15 s. A node
// that is shut down in order hands its streams over within a quarter of a second.
package natskv
