// Package embedded runs a real NATS server with JetStream inside this process: for one
// machine that runs a group alone, for tests, and as a member of a cluster whose other
// members are processes like this one, or nats-servers. It is a package of its own so
// that programs which only dial a server do not link one.
//
//	server, err := embedded.Start("/var/lib/worker/nats")
//	if err != nil { ... }
//	defer server.Close()
//	conn, err := server.Connect(natskv.Options()...)
//
// Every server syncs each write to disk before it acknowledges it. What it keeps
// survives the loss of power; the price is about a disk's sync time for each batch of
// writes.
//
// # From one server to a cluster
//
// A server that runs alone keeps the list of its streams in its own folder; a cluster
// keeps it among its members, and removes what it finds in a folder and not on that
// list. So a folder of the one is no folder for the other, and Start refuses it. The
// way is:
//
//  1. stop the workers, and start the servers of the cluster, an odd number, each
//     with an empty folder and a Config.Cluster that routes to the others;
//  2. start the server that ran alone once more, as it was, and call natskv.Copy from a
//     connection to it to one to the cluster, with Replicas set to 3;
//  3. start the workers with connections to the cluster.
//
// The group goes on from its checkpoints, and its epochs go on rising.
package embedded
