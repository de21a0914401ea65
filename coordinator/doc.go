// Package coordinator is what a worker embeds. A Coordinator joins a consumer group, runs one
// processor for each shard that the group assigns to it, and releases shards in order when the
// group wants them elsewhere:
//
//	c, err := coordinator.New(coordinator.Config{
//		Group:     service,                  // memory.New(...), for example
//		Processor: processor.FromFunc(work), // what to do with one shard
//	})
//	...
//	err = c.Run(ctx) // until ctx ends
//
// To scale, start more workers. The group gives each member its share of the shards; no
// member has more than one shard over an equal share.
//
// # Lifecycle
//
// New checks the Config and starts nothing. Run does everything, and returns when all that it
// started has returned. It stops when its context ends, or when finite work is complete:
//
//  1. It takes no more shards, and asks every processor to finish (Shard.Revoked is closed).
//  2. It keeps sending heartbeats, so that the shards stay its own while they drain.
//  3. After Config.DrainTimeout it cancels the contexts of processors that have not returned.
//  4. It leaves the group.
//
// # Goroutines
//
// One goroutine owns the state of the protocol, a shardset.Tracker. The others are: one that
// calls the group service, one that watches for pushes (where the service has them), one that
// calls hooks, one that writes logs, and one for each shard's processor. User code runs only on
// the last three kinds, so it can delay neither a heartbeat nor the end of a lease.
//
// # What happens when
//
//   - A processor returns an error or panics: the coordinator starts it again from its
//     checkpoint, after a growing pause. Other shards go on.
//   - Heartbeats fail: the coordinator tries again, after growing pauses. When the lease
//     expires it cancels all contexts with processor.ErrLeaseLost, before the group may
//     assign the shards to others. When the group answers again, the member joins afresh.
//   - The service refuses the credentials: Run returns the error. If the service may accept
//     others later, the coordinator first tries again until the lease expires.
//   - The group's TTL becomes shorter: the worker sends heartbeats more often, and logs a
//     warning.
//   - Config.Require asks for an ordered group, and the group is not ordered: Run starts
//     nothing, or drains what runs, and returns ErrNotOrdered.
//   - The process was frozen past its lease: the goroutine that looks at the clock first ends
//     the lease. Nothing is committed under it.
//   - The group evicts the member: the lease is lost, and the member joins again at once.
//   - A processor returned processor.ErrShardClosed, but the group keeps granting the shard:
//     after three answers and three intervals the coordinator starts it again from its
//     checkpoint.
//   - Config.Finite is set, and every shard of the group is complete: Run leaves and returns
//     nil. A shard that runs, fails or is halted prevents that.
//   - A processor ignores its context: the log, the Stuck hook and the status name it. The
//     member keeps reporting the shard as held, so that no other member starts it. Run still
//     returns in time, with a *DrainError.
//   - The watch for pushes fails: the worker sees changes at its next heartbeat. The status
//     says so (Status.Degraded) until a watch works again.
package coordinator
