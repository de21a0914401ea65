// Package coordinator is the part of Rollcall that a worker embeds. A Coordinator joins a
// consumer group and runs one processor for each shard that the group assigns to it. When the
// group revokes a shard, the Coordinator drains and releases it:
//
//	c, err := coordinator.New(coordinator.Config{
//		Group:     service,                  // memory.New(...), for example
//		Processor: processor.FromFunc(work), // what to do with one shard
//	})
//	...
//	err = c.Run(ctx) // until ctx ends
//
// To scale, start more workers. The group gives each member an equal share of the shards, to
// within one shard. Config.Weight changes the share.
//
// # Lifecycle
//
// New checks the Config and starts no goroutine. Run starts all goroutines and waits for them.
// When its context ends, or when finite work is complete, Run stops in four steps:
//
//  1. It takes no more shards, and asks every processor to finish (Shard.Revoked is closed).
//  2. It keeps sending heartbeats, so that it owns the shards while they drain.
//  3. After Config.DrainTimeout it cancels the contexts of processors that have not returned.
//  4. It leaves the group.
//
// # Goroutines
//
// One goroutine, the owner, has the state of the protocol: a shardset.Tracker. Another one calls
// the group service. A third one watches for pushes, if the service has them. User code does not
// run on these three. It runs on the goroutine that calls hooks, on the one that writes logs, and
// on one for each shard's processor. So user code can delay neither a heartbeat nor the end of a
// lease.
//
// # What happens when
//
//   - A processor returns an error or panics: the coordinator starts it again from its
//     checkpoint, after a growing pause. Other shards continue.
//   - Heartbeats fail: the coordinator tries again, after growing pauses. When the lease
//     expires it cancels all contexts with processor.ErrLeaseLost, before the group may
//     assign the shards to others. When the group answers again, the member joins again.
//   - The service refuses the credentials: Run returns the error. If the service may accept
//     other credentials later, the coordinator first tries again until the lease expires.
//   - The group's TTL becomes shorter: the worker sends heartbeats more often, and logs this.
//   - Config.Require asks for an ordered group, and the group is not ordered: Run starts no
//     processor, drains those that run, and returns ErrNotOrdered.
//   - The process was frozen until after its lease expired: the first goroutine that reads
//     the clock ends the lease for all shards. No commit begins under the expired lease.
//   - The group evicts the member: the lease is lost, and the member joins again at once.
//   - A processor returned processor.ErrShardClosed, but the group keeps granting the shard:
//     after three answers and three intervals the coordinator starts it again from its
//     checkpoint.
//   - Config.Finite is set, and every shard of the group is complete: Run leaves and returns
//     nil. A shard that runs, fails or is halted is not complete.
//   - A processor ignores its context: the log, the Stuck hook and the status name it. The
//     member keeps reporting the shard as held, so that no other member starts it. Run still
//     returns in time, with a *DrainError.
//   - The watch for pushes fails: the worker sees changes only at its next heartbeat.
//     Status.Degraded has the error until a watch works again.
package coordinator
