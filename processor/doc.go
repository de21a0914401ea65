// Package processor has what you write to process shards: a Processor, which works on one
// shard, and a Factory, which makes one for each shard that the group grants to the worker.
// FromFunc makes a Factory from a function.
//
// The worker calls Process with a Shard. The Shard has the position to start from, and commits
// new positions. Most users need not write a Processor: package batch has one that reads,
// retries and commits. To test your own Processor, use package processortest.
//
// # The life of a shard
//
//  1. The group grants the shard to the worker. The worker reads the checkpoint, calls the
//     Factory, and calls Process. Shard.Resume returns the position to start from.
//  2. Process handles items and calls Shard.Commit. The next owner of the shard starts at the
//     last committed position, so it repeats what was handled after that position.
//  3. The group revokes the shard for another member, or the worker shuts down. The channel
//     of Shard.Revoked closes, and the context stays alive. Process completes what it has
//     begun, commits, and returns. Only then does another member get the shard.
//  4. If Process has not returned after the drain timeout, the worker cancels the context.
//     context.Cause then returns ErrRevoked or ErrShutdown.
//
// If the lease is lost, for example because the network is down, the worker cancels the
// context at once, with the cause ErrLeaseLost. Another member may already own the shard.
//
// # The result of Process
//
//   - nil or an error after the shard was revoked: the worker releases the shard, and does not
//     call Process again. It reports the error. Fatal still stops the worker.
//   - nil before that: the work is complete. The worker keeps the shard, idle, until the group
//     revokes it, so that no other member repeats the work.
//   - ErrShardClosed: the work is complete, and the shard gets no more data. The worker
//     reports the shard as closed, and the group then grants it to no member.
//   - an error marked with Halt: the worker keeps the shard and does not start it again.
//   - an error marked with Fatal: the whole worker stops.
//   - any other error, or a panic: after a pause, the worker makes a new Processor and calls
//     Process again, from the last checkpoint. The pause grows while attempts fail. Other
//     shards are not affected.
//
// # Signs of progress
//
// The worker reports a Processor as stuck if it gives no sign of progress for
// coordinator.Config.NoProgressAfter, which is five minutes by default. Calls of Shard.Commit,
// Shard.Check and Shard.ReportProgress are such signs. A Processor that waits for data reports
// a Progress with CaughtUp: then it is idle, and not stuck. Package batch gives these signs and
// reports for you.
//
// All functions and methods are safe for concurrent use, unless they say otherwise.
package processor
