// Package coordinator is what a worker embeds. A Coordinator joins a consumer group,
// runs one processor for each shard that the group gives it, and hands shards over
// gracefully when the group wants them elsewhere:
//
//	c, err := coordinator.New(coordinator.Config{
//		Group:     service,                        // memory.New(...)
//		Processor: processor.FromFunc(work), // what to do with one shard
//	})
//	...
//	err = c.Run(ctx) // until ctx ends
//
// Workers scale by starting more of them: each member of the group holds its share
// of the shards, within one of an equal share.
//
// # Lifecycle
//
// There is one verb. New validates and starts nothing; Run does everything and
// returns when all that it started has returned. When its context ends, or finite
// work does, it takes no more shards, asks every processor to finish (Shard.Revoked
// closes), goes on heartbeating so that the shards stay its own meanwhile, cancels
// after Config.DrainTimeout what has not returned, and leaves the group.
//
// # Goroutines
//
// One goroutine owns the state of the protocol, a shardset.Tracker. One sends the
// heartbeats, one watches for pushes where the service has them, one calls hooks, one
// writes logs, and each shard has one for its processor. User code runs on the last
// three kinds only, so nothing it does can delay a heartbeat or the end of a lease.
//
// # What happens when
//
//   - A processor returns an error or panics: it is started again from its checkpoint
//     after a growing pause; other shards go on.
//   - Heartbeats fail: the loop retries with growing pauses. When the lease ends all
//     contexts are cancelled with processor.ErrLeaseLost, before the group may give
//     the shards away, and everything is taken afresh once the group answers.
//   - The service refuses the credentials: the same, if it may take others later. When the
//     lease is over Run returns the error; it does so at once if nothing can change.
//   - Somebody makes the group's TTL shorter: the worker beats faster, with a warning.
//   - The group is not ordered, which Config.Require asks for: Run starts nothing, or drains
//     what runs, and returns ErrNotOrdered.
//   - The process was frozen past its lease: the first look at the clock, by whichever
//     goroutine wakes first, ends the lease. No commit is made under it.
//   - The group evicts the member: the same, and it rejoins at once.
//   - A processor returned processor.ErrShardClosed, and the group goes on granting the
//     shard: it is started again from its checkpoint, after three answers and intervals.
//   - The work has an end (Config.Finite), and every shard of the group is done: Run
//     leaves and returns nil. One shard that goes on, fails or is halted keeps it.
//   - A processor ignores its context: it is named in the log, the Stuck hook and the
//     status, its shard stays reported as held so that nobody doubles it, and Run
//     still returns in time, with a *DrainError.
package coordinator
