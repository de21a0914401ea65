// Package batch is the reading loop that most processors are: read from a position,
// handle, retry, commit, pause, stop. It works over any Source and knows no service:
//
//	handle := func(ctx context.Context, b *batch.Batch[Line]) error {
//		return store(ctx, b.Items) // nil acknowledges the batch
//	}
//	c, err := coordinator.New(coordinator.Config{
//		Group:     service,
//		Processor: batch.Handle(source, handle, batch.Options[Line]{}),
//	})
//
// # What is committed
//
// A position is committed only if everything before it is acknowledged: its handler
// returned nil while its context was alive, or called Ack or AckItem, or DeadLetter took
// it, or an action gave it up for all to see. Nothing else is, by no path: not what
// failed, panicked, was cancelled, or is being handled; whether the commit is due by
// time, by number, because the shard is idle, has ended, or has to go. What a filter
// dropped counts as handled.
//
// # When
//
// Commits run beside the handler, which does not wait for them, one at a time. One is
// due CommitInterval after something was acknowledged, earlier after
// CommitItems, at once when there is nothing left to read or the shard has to go. Where
// a shard begins without a checkpoint is committed at once, unless that is its oldest
// item. At the end of a closed shard, and at the bound of a run, the end is committed,
// even if nothing was ever in it or it had been committed before; at the end of a closed
// shard the processor returns processor.ErrShardClosed.
//
// # When the shard has to go
//
// Reading stops, what is being handled is finished, what is acknowledged is committed,
// and the processor returns. What was read ahead, waits for another attempt, or fails now
// is left to the next owner, whatever OnError says: the failure may come from the end. Only
// an error made with processor.Halt or processor.Fatal, and what GiveUp was told, count. A
// last commit that fails is tried again for a second or two, and then left to the next
// owner as well.
//
// # When a batch fails
//
// It is tried again after growing pauses, and the batches behind it wait (with
// Concurrency, as far as they need not). Options.OnError may say otherwise: skip it, give
// it to DeadLetter, halt the shard, end the worker. Nothing is given up by default: when
// Attempts or Elapsed are used up, the shard is halted, held and visible.
//
// With a DeadLetter one bad item does not take others along. A handler that knows which
// item is bad says so with GiveUp: that one goes to DeadLetter, alone, and the rest is
// handled on. A batch whose handler does not say it, and whose attempts are used up, is
// divided until the bad items have failed by themselves: see Options.Attempts.
//
// # What is shown
//
// The status of a shard (processor.Progress) is of now. The lag grows with the clock while
// the handler stands still, reads fail or take long, or the shard is halted, and CaughtUp
// is then false. Trouble says why a read or a batch does not go on.
//
// # How much at once
//
// BatchBytes and BatchItems bound what is read at once: large reads cost less.
// HandleItems bounds what a handler is given at once, and so how long a shard that has
// to go is waited for; 1 means item by item.
//
// # Memory
//
// What was read ahead is bounded by a Budget of bytes that all shards share. A read sets
// its bytes aside before it begins, the batch keeps what it takes, and gives it back
// when it is done with. A read that waits for data or for memory holds none of the budget. A
// batch that waits for another attempt is put back within a second if others wait for its
// memory, and read again when its time comes; it is kept if parts of it are acknowledged,
// if others of its shard are being handled, or with a Key.
package batch
