// Package embedded runs a NATS server with JetStream inside this process. Use it on one
// machine without any other server, in tests, or as a member of a cluster. The other
// members of the cluster may be processes like this one or ordinary nats-servers. Programs
// that only connect to a server need not link this package.
//
//	server, err := embedded.Start("/var/lib/worker/nats")
//	if err != nil { ... }
//	defer server.Close()
//	conn, err := server.Connect(natskv.Options()...)
//
// A server syncs each write to disk before it acknowledges it, so its data survives a loss
// of power. A batch of writes takes about the sync time of the disk.
//
// # From one server to a cluster
//
// A server that runs alone keeps the list of its streams in its folder. A cluster keeps
// that list among its members, and removes streams in a folder that are not on the list.
// Start therefore refuses to start a cluster member in the folder of a single server, and
// the reverse. To move a group:
//
//  1. Stop the workers. Start the servers of the cluster, an odd number, each with an empty
//     folder and a Config.Cluster that routes to the others.
//  2. Start the single server again, unchanged. Call natskv.Copy with a connection to it and a
//     connection to the cluster, and with Replicas set to 3.
//  3. Start the workers with connections to the cluster.
//
// The group continues from its checkpoints, and its epochs keep rising.
package embedded
