// Package batch is the reading loop that most processors need. It reads a shard in batches, calls a
// handler for each, retries, commits, and stops when the shard is revoked. It works with any Source.
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
// A position is committed only if every item before it is acknowledged. An item is acknowledged if
//
//   - the handler returns nil before ctx ends,
//   - the handler calls Ack, AckItem or AckTo,
//   - DeadLetter takes the item,
//   - ActionSkip skips it, or
//   - a filter in the source drops it.
//
// Other items are never committed, neither by a timer nor at a stop: those that failed, panicked, were
// cancelled, or are still being handled.
//
// # When it is committed
//
// The loop commits while handlers run, one commit of a shard at a time. A commit begins
// CommitInterval after an acknowledgement, earlier after CommitItems items, and at once when there is
// nothing left to read or the shard is revoked.
//
// If a shard has no checkpoint, the position where reading begins is committed at once, unless
// Options.Initial is Earliest. The end of a closed shard, and the end of a bounded run, is always
// committed, even if the shard was empty or the same position was committed before. After this commit,
// the processor of a closed shard returns processor.ErrShardClosed.
//
// # When a shard is revoked
//
// The loop stops reading, waits for the running handlers, commits what is acknowledged, and returns.
// If the last commit fails, the loop repeats it for a second or two.
//
// The next owner handles the other items: those that were read ahead, that wait for another attempt,
// or that fail during the drain. The revocation may be the reason for such a failure, so the action
// of OnError does not count. Only GiveUp, and errors made with processor.Halt or processor.Fatal,
// still take effect.
//
// # When a batch fails
//
// The batch is tried again after growing pauses, by default without end. The batches after it wait;
// with Concurrency, some of them are handled meanwhile. Options.OnError can choose another action: skip
// the batch, pass it to DeadLetter, halt the shard, or end the worker.
//
// Options.Attempts and Options.Elapsed bound the attempts. After the last one, the bad items go to
// DeadLetter. Without a DeadLetter, the shard is halted: it stays held, and its status shows the error.
//
// With a DeadLetter, the good items of a batch are handled even if one item is bad. If the handler
// knows the bad item, it calls GiveUp, and only that item goes to DeadLetter. If not, the loop divides
// the batch after the last attempt, until it has found each bad item: see Options.Attempts.
//
// # Status
//
// processor.Progress shows the current state of a shard. Lag grows, and CaughtUp is false, while a
// handler does not return, while reads fail or take long, and while the shard is halted. Trouble is
// the error that holds up reading or handling.
//
// # Sizes
//
// BatchBytes and BatchItems bound a read. One large read costs less than many small ones. HandleItems
// bounds the items of one call of the handler, and so how long the drain of a revoked shard takes.
// With 1, the handler gets one item at a time.
//
// # Memory
//
// All shards share a Budget of bytes for items that were read and are not acknowledged. A read
// reserves its bytes before it begins. The batch holds them until it is acknowledged, or until the
// shard is revoked. A read that waits for data or for memory holds none of the budget.
//
// A batch that waits for another attempt releases its memory within a second if other shards need it.
// The batch is read again when its attempt is due. The batch keeps its memory if any of its items, or
// of the items of a later batch, is acknowledged, if the handler works on other batches of the shard,
// or if Options.Key is set.
package batch
