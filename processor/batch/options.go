package batch

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// DefaultBudget is the size of the Budget that Handle and Range make, in bytes.
const DefaultBudget = 64 << 20

// Other defaults of Options.
const (
	defaultReads          = 64
	defaultBatchBytes     = 1 << 20
	defaultBatchItems     = 1 << 16
	defaultPrefetch       = 2
	defaultMinPause       = 100 * time.Millisecond
	defaultMaxPause       = time.Second
	defaultRetryMin       = 200 * time.Millisecond
	defaultRetryMax       = 30 * time.Second
	defaultCommitInterval = time.Second
)

// Options says how batches are read, handled and committed. The zero value is ready to use.
type Options[T any] struct {
	// Initial is where to begin in a shard without a checkpoint. Zero means Earliest. For any other
	// Initial, the position is committed at once, before anything is read. So a restart begins at
	// the same position and skips nothing.
	//
	// Initial is meant for shards that exist when the group first starts. A shard that was created
	// later, for instance by a split or a merge, should be read whole, because all its items came after
	// that start. A source that can tell the age of a shard reads such a shard whole, as slslog does.
	// Any other source opens it at Initial. With Latest, the items that came before the shard was
	// opened are then never read.
	Initial Initial
	// Until ends the run at a time: only items that the service received before it are read. Zero
	// means no end. UntilPosition returns the position at which a shard ends; empty means no end.
	// With coordinator.Config.Finite, Run returns when all shards have reached their ends.
	Until         time.Time
	UntilPosition func(shardset.ID) processor.Position
	// Expired is where to continue if the data at the position is gone. Zero means that the shard
	// is halted instead. Each gap is logged, counted and passed to OnGap. The loop acts after the
	// source has reported ErrExpired for two seconds. Until then it tries again after growing
	// pauses, and shows the error as trouble.
	//
	// If a shard itself is gone before it was read to its end, that is a gap too. With Expired,
	// reading ends and the shard counts as closed. Without Expired, the shard is halted. If the
	// group revokes the shard meanwhile, the gap is logged and counted in either case.
	Expired Initial
	// OnGap is called for each gap, before any item after the gap is handled. If it returns an error,
	// the shard is opened again after a pause, and OnGap is called again.
	OnGap func(ctx context.Context, id shardset.ID, g processor.Gap) error

	// Budget bounds memory and concurrent reads. Several Handles of a process can share one. Nil
	// means that this Handle makes its own, of 64 MiB and 64 reads.
	Budget *Budget
	// ShardBytes bounds the bytes of the Budget that one shard uses. A read that turns out larger
	// is handled, but the shard reads no more until its memory is released. Zero means as much as
	// Prefetch and Concurrency need, up to half of the Budget.
	ShardBytes int64
	// BatchBytes and BatchItems bound one read. One large read costs less than many small ones.
	// Zero means 1 MiB, and 65,536 items.
	BatchBytes int64
	BatchItems int
	// HandleItems bounds the items of one call of the handler. A larger read is divided into
	// batches of that many items. 1 means one item at a time. Zero means that the handler gets a
	// whole read.
	//
	// The drain of a revoked shard waits only for the batches that are being handled. The next owner
	// handles the other batches of the same read. If the source has positions only between reads, it
	// handles the finished ones again, too.
	HandleItems int
	// Prefetch is how many reads wait in memory while the handler works on others. Zero means 2.
	// Negative means none.
	Prefetch int
	// MinPause and MaxPause bound the pause before the next read of a shard that was read to its
	// end. Between these bounds, the pause is a quarter of the time since something was last read.
	// Zero means 100 ms for MinPause, and 1 s for MaxPause. A Chunk can replace MinPause. For a
	// Reader that is a Waiter, the loop calls Wait instead.
	MinPause, MaxPause time.Duration

	// Concurrency is how many batches of one shard are handled at a time. Zero means 1. A position
	// is committed only if all batches before it are acknowledged.
	Concurrency int
	// Key, if set, assigns each item to one of Concurrency lanes. Items with the same key take the
	// same lane, and a lane handles its items in order. If Key panics, the shard is halted.
	Key func(T) string
	// Timeout ends the context of one attempt. Zero means never. A handler that ignores its context
	// is reported as stuck after coordinator.Config.NoProgressAfter.
	Timeout time.Duration

	// Retry sets the pauses between attempts. Zero fields mean 200 ms for Min, and 30 s for Max.
	Retry processor.Backoff
	// Attempts bounds the number of attempts at a batch. Elapsed bounds the time from the beginning
	// of the first attempt to the beginning of the last. Zero means no bound. After the last
	// attempt, the bad items go to DeadLetter; without a DeadLetter, the shard is halted.
	//
	// With a DeadLetter, the loop divides the batch to find the bad items. The parts get one attempt
	// each, in their order. A part that fails is divided again, down to single items. A single item
	// gets all attempts again before it goes to DeadLetter. If all n items are bad, there are up to
	// n*Attempts attempts. To avoid that, return ActionDeadLetter from OnError when
	// Failure.Exhausted is set: then the whole batch goes to DeadLetter.
	Attempts int
	Elapsed  time.Duration
	// OnError chooses the action after each failed attempt. Nil means ActionRetry. OnError is not
	// called for errors made with processor.Halt or processor.Fatal, because they choose the action
	// themselves. It runs on the handler's goroutine.
	OnError func(ctx context.Context, f Failure) Action
	// DeadLetter stores items that the handler cannot handle: a single item, or the batch for
	// which OnError returned ActionDeadLetter. The loop calls it in place of the handler. A nil
	// result acknowledges the items. After an error, it is called again after the pauses of Retry,
	// without a bound.
	DeadLetter func(ctx context.Context, b *Batch[T], f Failure) error

	// CommitInterval is the longest time that an acknowledged batch waits for its commit. Zero
	// means 1 s. The commit comes earlier when the shard is idle, complete or revoked.
	CommitInterval time.Duration
	// CommitItems makes a commit due as soon as that many items are acknowledged. Zero means no
	// such limit.
	CommitItems int
}

// Validate returns a *shardset.ConfigError with every fault of the Options, or nil.
func (o Options[T]) Validate() error {
	return o.setDefaults(&shardset.ConfigError{Config: "batch.Options"})
}

// setDefaults fills in the defaults and adds the faults of o to faults. It returns faults as an error,
// or nil if there are none.
func (o *Options[T]) setDefaults(faults *shardset.ConfigError) error {
	o.setReadingDefaults(faults)
	o.setHandlingDefaults(faults)
	return faults.Err()
}

func (o *Options[T]) setReadingDefaults(faults *shardset.ConfigError) {
	if (o.Initial == Initial{}) {
		o.Initial = Earliest()
	}
	if o.OnGap != nil && (o.Expired == Initial{}) {
		faults.Add("OnGap", "is set, but Expired is not, so OnGap would never be called")
	}
	if o.Budget == nil {
		o.Budget = NewBudget(DefaultBudget, defaultReads)
	}
	setDefault(faults, "BatchBytes", &o.BatchBytes, defaultBatchBytes)
	o.BatchBytes = min(o.BatchBytes, o.Budget.size)
	setDefault(faults, "BatchItems", &o.BatchItems, defaultBatchItems)
	setDefault(faults, "Concurrency", &o.Concurrency, 1)
	if o.Prefetch == 0 {
		o.Prefetch = defaultPrefetch
	}
	o.Prefetch = max(o.Prefetch, 0)
	ahead := o.BatchBytes * int64(o.Prefetch+o.Concurrency)
	setDefault(faults, "ShardBytes", &o.ShardBytes, max(o.BatchBytes, min(ahead, o.Budget.size/2)))
	if o.ShardBytes > 0 && o.ShardBytes < o.BatchBytes {
		o.BatchBytes = o.ShardBytes
	}
	setDefault(faults, "MinPause", &o.MinPause, defaultMinPause)
	setDefault(faults, "MaxPause", &o.MaxPause, max(defaultMaxPause, o.MinPause))
	if o.MaxPause < o.MinPause {
		faults.Add("MaxPause", "is %v; it must be at least MinPause, %v", o.MaxPause, o.MinPause)
	}
}

func (o *Options[T]) setHandlingDefaults(faults *shardset.ConfigError) {
	zeroOrMore(faults, "HandleItems", o.HandleItems)
	zeroOrMore(faults, "Timeout", o.Timeout)
	zeroOrMore(faults, "Attempts", o.Attempts)
	zeroOrMore(faults, "Elapsed", o.Elapsed)
	zeroOrMore(faults, "CommitItems", o.CommitItems)
	setDefault(faults, "Retry.Min", &o.Retry.Min, defaultRetryMin)
	setDefault(faults, "Retry.Max", &o.Retry.Max, max(defaultRetryMax, o.Retry.Min))
	if o.Retry.Max < o.Retry.Min {
		faults.Add("Retry.Max", "is %v; it must be at least Retry.Min, %v", o.Retry.Max, o.Retry.Min)
	}
	setDefault(faults, "CommitInterval", &o.CommitInterval, defaultCommitInterval)
}

// setDefault fills in a default for zero. A negative number is a fault.
func setDefault[N int | int64 | time.Duration](faults *shardset.ConfigError, field string, n *N, byDefault N) {
	zeroOrMore(faults, field, *n)
	if *n == 0 {
		*n = byDefault
	}
}

func zeroOrMore[N int | int64 | time.Duration](faults *shardset.ConfigError, field string, n N) {
	if n < 0 {
		faults.Add(field, "is %v; it must not be negative", n)
	}
}
