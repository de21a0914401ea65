// Package natskv runs a consumer group on NATS JetStream, for workers on several
// machines without a service that assigns shards.
//
//	conn, err := nats.Connect("nats://a,nats://b,nats://c", natskv.Options()...)
//	...
//	client, err := natskv.New(natskv.Config{
//		Conn: conn, Group: "orders", Replicas: 3, Shards: shardset.Range("orders", 64),
//	})
//	...
//	defer client.Close()
//
// The client is the coordinator's Group and its Checkpoints. For one machine, package
// embedded runs the server in the worker.
//
// # What is kept where
//
// A namespace has two buckets, which are made at the first write, never by a look, and
// shared by all its groups:
//
//	G_<namespace>   files    <group>.doc           members, shards, owners and epochs
//	                         <group>.cp.<shard>    checkpoints
//	M_<namespace>   memory   <group>.m.<member>    what each member said last
//
// Names are escaped where a key of a bucket does not take them. Members' records need
// not survive anything, and in memory a slow disk costs nobody a lease; but when all
// nodes are restarted they are gone, and every member takes its shards afresh. With
// RecordsOnDisk a restart within the TTL moves nothing.
//
// A bucket that exists is used as it is: an operator may have made it, with a placement
// or limits. It is refused if values could expire, or documents not fit, or if what is
// acknowledged could be lost. Reads go to the bucket's leader, and AllowDirect, with which
// any replica answers, is switched off: with it more than one read in ten was stale under
// load.
//
// The record of a member that is gone is deleted, which leaves a marker of a few hundred
// bytes in its place. It goes after an hour, so that a bucket holds the members of now and
// the markers of one hour, however many have come and gone. That takes servers of 2.11 and
// AllowMsgTTL, which is switched on where it is off. Without, and in a bucket on disk, or
// with a history, markers stay, because what they have replaced could come back; so do
// those that older versions of this package have written. So Client.Purge leaves a marker for
// each checkpoint of the group, until somebody purges these subjects of the stream.
//
// # Rights
//
// Where an account's users may not do everything, they need these. A stream is
// KV_G_<namespace>, and KV_M_<namespace>, unless it says which.
//
//	publish    $KV.G_<namespace>.>
//	           $KV.M_<namespace>.>
//	           $JS.API.STREAM.INFO.<stream>
//	           $JS.API.STREAM.MSG.GET.<stream>
//	           $JS.API.STREAM.CREATE.<stream>          KV_G only if no operator makes it
//	           $JS.API.STREAM.UPDATE.<stream>          to switch AllowDirect off in both,
//	                                                   and AllowMsgTTL on in KV_M if it
//	                                                   is in memory
//	           $JS.API.STREAM.DELETE.KV_M_<namespace>  to make it anew, with higher numbers,
//	                                                   after all nodes have lost it
//	           $JS.API.CONSUMER.CREATE.KV_M_<namespace>.>
//	           $JS.API.CONSUMER.DELETE.KV_M_<namespace>.*  or consumers stay 10 s longer
//	           rollcall.<namespace>.>                  hints that a document has changed
//	subscribe  _INBOX.>                                or what nats.CustomInboxPrefix says
//	           rollcall.<namespace>.>
//
// A server does not answer what it does not allow; it tells the connection. So a store puts
// itself in front of the connection's error handler, which goes on hearing everything, and a
// call that lacks a right ends at once with an error that names it. It matches
// heartbeat.ErrUnauthorized: a worker tries again while its lease lasts, or for one TTL,
// and ends. A program that sets another handler afterwards has to call the one that
// nats.Conn.ErrorHandler returned, or such calls end when their time does.
//
// # How many processes
//
// A process that changes the document publishes the new revision to
// rollcall.<namespace>.<group>, which is no subject of a stream, and all others then read
// the document from the bucket's leader. They need no consumer for that, so no limit of
// consumers bounds the number of processes. A hint that is lost costs half a TTL at most.
//
// The members' records are watched through consumers, by eight processes of a group, or by
// three of more than 64. A bucket that this package makes takes 100,000 of these. In one
// that was made otherwise, without a limit of its own, the server's default counts: 1,000
// for all groups of the namespace. A watch that meets a limit is logged as an error, with
// the command that raises it.
//
// # What JetStream can lose
//
// A write is acknowledged when most of the nodes have it, and by default before any has
// it on disk: a power cut of all nodes at once may take acknowledged writes back, two
// minutes of them. Set sync_interval: always in the servers' jetstream block; CheckSync
// asks whether it is. A store that went back repeats work, but never gives two owners one
// fencing token: that is an epoch with a random instance.
//
// # The TTL
//
// When a node that leads dies, JetStream elects another in 5 to 7 seconds, and no
// heartbeat is taken meanwhile. A TTL below that costs all shards at every such
// failover, so the default is 20 s, and New warns below 15 s. A node that is stopped in
// order hands over within a quarter of a second.
package natskv
