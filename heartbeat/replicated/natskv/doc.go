// Package natskv runs a consumer group on NATS JetStream, for workers on several machines
// that have no service which assigns shards.
//
//	conn, err := nats.Connect("nats://a,nats://b,nats://c", natskv.Options()...)
//	...
//	client, err := natskv.New(natskv.Config{
//		Conn: conn, Group: "orders", Replicas: 3, Shards: shardset.Range("orders", 64),
//	})
//	...
//	defer client.Close()
//
// The client is both coordinator.Config.Group and Checkpoints. On one machine, package
// embedded runs the server inside the worker.
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
// disk costs no member its lease. When all nodes restart, the records are lost and every
// member receives its shards anew. With RecordsOnDisk, a restart within the TTL moves no
// shard.
//
// An existing bucket is used as it is, so an operator may create it with a placement or
// limits. It is refused if its values could expire, if a document could be too large for
// it, or if an acknowledged write could be lost. Reads go to the leader of the bucket.
// AllowDirect lets any replica answer, which made more than one read in ten stale under
// load, so it is switched off.
//
// When a member is gone, its record is deleted. JetStream then keeps a deletion marker of a
// few hundred bytes, which expires after an hour. This needs servers of version 2.11 or
// later and AllowMsgTTL, which is switched on if necessary. Markers stay for ever on older
// servers, in a bucket on disk or with a history (the deleted value could come back), if an
// older version of this package wrote them, and for each checkpoint that Client.Purge
// deletes. To remove them, purge their subjects from the stream.
//
// # Permissions
//
// If the permissions of the account's user are limited, grant these. A stream is
// KV_G_<namespace> and KV_M_<namespace>, unless the line names one of them.
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
// A NATS server does not answer a request that it does not permit; it reports the violation
// to the connection. So a store wraps the connection's error handler, which still gets
// every error. A call without permission ends at once, and its error names the permission
// and matches heartbeat.ErrUnauthorized. The worker retries while its lease lasts, or for
// one TTL, and then ends. If the program sets another error handler later, that handler
// must call the one that nats.Conn.ErrorHandler returned. Otherwise such calls end only at
// their timeout.
//
// # Number of processes
//
// A process that changes the document publishes the new revision to
// rollcall.<namespace>.<group>, which belongs to no stream. The other processes then read
// the document from the leader. They need no consumer for that, so limits on consumers do
// not limit the number of processes. A lost hint delays a process by half a TTL at most.
//
// Records are watched through consumers: by eight processes of a group, or by three if the
// group has more than 64 members. A bucket that this package creates allows 100,000
// consumers. Another bucket without a limit of its own has the server's default: 1,000 for
// all groups of the namespace. If a watch meets a limit, an error is logged with the
// command that raises the limit.
//
// # What JetStream can lose
//
// JetStream acknowledges a write when a majority of the nodes have it. By default, no node
// has it on disk yet, so a power cut of all nodes at once can lose the acknowledged writes
// of two minutes. To prevent that, set sync_interval: always in the jetstream block of each
// server; CheckSync reports whether it is set. After such a loss work is repeated, but no
// two owners get the same fencing token: a token is an epoch and a random instance.
//
// # The TTL
//
// When the node that leads a stream dies, JetStream elects a new leader in 5 to 7 seconds.
// Until then it accepts no heartbeat. A shorter TTL loses all shards at each such failover,
// so the default is 20 s, and New warns below 15 s. A node that is shut down in order hands
// over within a quarter of a second.
package natskv
