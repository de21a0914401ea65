// Package batch is the reading loop that most processors need: it reads a shard from its position
// in batches, calls a handler, retries, commits, and stops when the shard is revoked. It works
// with any Source.
//
//	handle := func(ctx context.Context, b *batch.Batch[Line]) error {
//		return store(ctx, b.Items) // nil acknowledges the batch
//	}
//	c, err := coordinator.New(coordinator.Config{
//		Group:     service,
//		Processor: batch.Handle(source, handle, batch.Options[Line]{}),
//	})
//
// A shard is revoked when the group moves it to another member, and when the worker stops.
//
// # What is committed
//
// A position is committed only if every item before it is acknowledged. An item is acknowledged
// when its handler returns nil before its context ends, when Ack, AckItem or AckTo is called, when
// DeadLetter takes it, or when ActionSkip gives it up. No other item is ever committed, neither by
// a timer nor at a stop: not one that failed, panicked, was cancelled or is being handled. Items
// that a filter in the source drops count as acknowledged.
//
// # When it is committed
//
// Commits of a shard run one at a time, beside the handler. A commit begins CommitInterval after
// an acknowledgement, earlier after CommitItems items, and at once when there is nothing left to
// read or the shard is revoked. The beginning of a shard without a checkpoint is committed at once,
// unless it is Earliest. The end of a closed shard, and the end of a bounded run, is always
// committed, even if the shard was empty or the position was committed before. After this commit,
// the processor of a closed shard returns processor.ErrShardClosed.
//
// # When a shard is revoked
//
// The loop stops reading, waits for the running handlers, commits what is acknowledged, and
// returns. It leaves to the next owner what was read ahead, what waits for another attempt, and
// what fails during the drain, whatever OnError returns: the revocation may be the reason for the
// failure. Only GiveUp, and errors made with processor.Halt or processor.Fatal, still take effect.
// The last commit is tried for a second or two.
//
// # When a batch fails
//
// The batch is tried again after growing pauses. The batches after it wait; with Concurrency, some
// of them are handled meanwhile. Options.OnError can choose another action: skip the batch, give
// it to DeadLetter, halt the shard, or end the worker. By default nothing is given up: after
// Attempts or Elapsed the shard is halted. It stays held, and its status shows the error.
//
// With a DeadLetter, one bad item does not take others along. A handler that knows the bad item
// calls GiveUp: only that item goes to DeadLetter. If the handler does not know it, the batch is
// divided after the last attempt, until each bad item fails alone: see Options.Attempts.
//
// # Status
//
// processor.Progress shows the current state of a shard. Its lag grows, and CaughtUp is false, while
// a handler does not return, while reads fail or take long, and while the shard is halted. Trouble
// is the reason why reading or handling does not go on.
//
// # Sizes
//
// BatchBytes and BatchItems bound a read: large reads cost less. HandleItems bounds the items of
// one call of the handler, and so how long the drain of a revoked shard takes; 1 means item by item.
//
// # Memory
//
// All shards share a Budget of bytes for what was read and is not handled. A read sets its bytes
// aside before it begins. The batch holds them until it is acknowledged or left to the next owner.
// A read that waits for data or for memory holds none of the budget. If other shards wait for
// memory, a batch that waits for another attempt is discarded within a second, and read again when
// its attempt is due. It is kept if part of it is acknowledged, if other batches of the shard are
// being handled, or with a Key.
package batch
