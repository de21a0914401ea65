// Package processor is the part of a worker that its author writes: what to do with
// one shard. A Factory makes a Processor for each shard that the group grants; its
// Process method runs on a goroutine of its own, with a Shard as its handle, until
// the shard has to go.
//
// # The life of a shard
//
//  1. The group grants the shard. Its checkpoint is read, the Factory is called, and
//     Process starts, with Shard.Resume saying where to go on.
//  2. Process works, and calls Shard.Commit for what it has done. Only what was
//     committed is done for good: whoever has the shard next starts there.
//  3. The shard is wanted elsewhere, or the worker shuts down: Shard.Revoked closes
//     while the context is still alive. Process finishes what it has in hand,
//     commits, and returns. Its return is what frees the shard.
//  4. If it has not returned after the drain timeout, its context is cancelled.
//     context.Cause says why: ErrRevoked or ErrShutdown. If the lease is lost, by a
//     crash of the network for instance, the context is cancelled at once with the
//     cause ErrLeaseLost: somebody else may have the shard already.
//
// # What the return of Process means
//
//   - nil after Revoked closed: the shard is free.
//   - nil before: there is nothing left to do. The shard stays held, idle and
//     visible, so that no other member repeats it, until the group takes it back.
//   - ErrShardClosed: as nil, and the group is told that the shard has ended. If the group
//     goes on granting it, Process is started again after a while.
//   - an error made with Halt or Fatal: the shard stays held, stopped and visible, or
//     the whole worker stops.
//   - any other error, or a panic: Process is started again from the checkpoint, with
//     a fresh Processor, after a pause that grows while it keeps failing. Other
//     shards do not notice.
//
// # Signs of progress
//
// A Process that calls none of Shard.Commit, Check and ReportProgress for a while, five minutes
// by default, is reported as stuck. One that waits for data says that it is idle: it
// reports a Progress with CaughtUp. Package batch does both.
//
// Everything here may be called from any goroutine unless it says otherwise.
package processor
