// Package embedded runs a NATS server with JetStream inside this process. Use it on one
// machine without any other server, in tests, or as a member of a cluster. The other members
// of the cluster may be processes that use this package, or ordinary nats-servers. A program
// that only connects to a server does not need this package.
//
//	server, err := embedded.Start("/var/lib/worker/nats")
//	if err != nil { ... }
//	defer server.Close()
//	conn, err := server.Connect(natskv.Options()...)
//
// A server syncs each write to disk before it acknowledges the write. So its data survives a
// power cut. The price: a batch of writes takes about as long as one sync of the disk.
//
// # From one server to a cluster
//
// A server that runs alone keeps the list of its streams in its folder. The members of a
// cluster share one such list. From their folders, they remove each stream that is not on the
// shared list. So Start refuses to start a cluster member in the folder of a server that ran
// alone. It also refuses to start a server alone in the folder of a cluster member. To move a
// group:
//
//  1. Stop the workers. Start the servers of the cluster, an odd number, each with an empty
//     folder and a Config.Cluster that routes to the others.
//  2. Start the old server again, unchanged. Call natskv.Copy with a connection to the old
//     server and a connection to the cluster, and with Replicas set to 3.
//  3. Start the workers with connections to the cluster.
//
// The group continues from its checkpoints, and its epochs keep rising.
package embedded
