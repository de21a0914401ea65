// Package processor is the part of a worker that you write: what to do with one shard.
//
// A Factory makes a Processor for each shard that the group grants to the worker. The
// worker calls Process on a goroutine of its own, with a Shard to read the start position
// from and to commit positions to. FromFunc makes a Factory of a function. Package batch is a
// Processor for most uses: it reads, retries and commits for you. Package processortest
// has a Shard for unit tests of your own.
//
// # The life of a shard
//
//  1. The group grants the shard. The worker reads its checkpoint, calls the Factory, and
//     calls Process. Shard.Resume returns the position to start from.
//  2. Process works, and commits with Shard.Commit. The next owner of the shard starts at
//     the last committed position, and repeats what was not committed.
//  3. The group wants the shard for another member, or the worker shuts down:
//     Shard.Revoked closes, and the context stays alive. Process finishes what it has
//     begun, commits, and returns. Only then does another member get the shard.
//  4. If Process has not returned after the drain timeout, the worker cancels the context;
//     context.Cause returns ErrRevoked or ErrShutdown. If the lease is lost, because the
//     network is down for instance, the worker cancels the context at once with the cause
//     ErrLeaseLost: another member may have the shard already.
//
// # The result of Process
//
//   - nil after Revoked closed: the shard is released.
//   - nil before: the work is complete. The worker keeps the shard, idle and visible, so
//     that no other member repeats it, until the group revokes it.
//   - ErrShardClosed: as nil, and the group marks the shard as closed. If the group grants
//     it all the same, the worker calls Process again after a while.
//   - an error made with Halt: the worker keeps the shard, and does not start it again.
//   - an error made with Fatal: the whole worker stops.
//   - any other error, or a panic: the worker makes a new Processor and starts it from the
//     checkpoint, after a pause that grows while attempts fail. Other shards go on.
//
// # Signs of progress
//
// If Process calls none of Shard.Commit, Check and ReportProgress for a while, five minutes
// by default, the worker reports it as stuck. A Processor that waits for data reports a
// Progress with CaughtUp to say that it is idle. Package batch does both.
//
// All functions and methods may be called from any goroutine, unless they say otherwise.
package processor
