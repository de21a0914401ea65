// Package natskv runs a consumer group on NATS JetStream, for workers on several
// machines without a service that assigns shards.
//
//	conn, err := nats.Connect("nats://a,nats://b,nats://c", natskv.Options()...)
//	...
//	client, err := natskv.New(natskv.Config{
//		Conn: conn, Group: "orders", Replicas: 3, Shards: replicated.Shards("orders", 64),
//	})
//	...
//	defer client.Close()
//
// The client is the coordinator's Group and its Checkpoints. For one machine, package
// embedded runs the server in the worker.
//
// # What is kept where
//
// A namespace has two buckets, which are made at the first use and shared by all its
// groups:
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
// or limits. It is refused if values could expire, or documents not fit. Reads go to
// the bucket's leader, and AllowDirect, with which any replica answers, is switched off:
// with it more than one read in ten was stale under load.
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
