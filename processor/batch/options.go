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

// Options is how batches are read, handled and committed. The zero value is ready to use.
type Options[T any] struct {
	// Initial is where the shards begin that exist when the group first starts. Zero means
	// Earliest. Any other beginning is committed at once, before anything is read, so that a
	// restart skips nothing.
	//
	// A shard that was created later, by a split or a merge for instance, begins at its beginning:
	// all its items came after the group's start. That needs a source that can tell the age of a
	// shard, as slslog can. Another source begins every shard without a checkpoint at Initial.
	// Unless that is Earliest, a new shard then loses the items that came before it was opened.
	Initial Initial
	// Until ends the run at a time, and UntilPosition ends each shard at a position of its own;
	// an empty position means no end. With coordinator.Config.Finite, Run returns when all shards
	// have reached their ends.
	Until         time.Time
	UntilPosition func(shardset.ID) processor.Position
	// Expired is where to continue after the position has expired. Zero means to halt the shard.
	// The loop does either after the source has reported ErrExpired for two seconds; until then
	// it tries again after growing pauses, and shows trouble. Each gap is logged, counted and
	// passed to OnGap.
	//
	// A shard that is gone before it was read to its end is a gap too. Without Expired it is
	// halted; with any Expired it has ended. If the group revokes it before that, the gap is
	// logged and counted, whatever Expired is.
	Expired Initial
	// OnGap is called for a gap before anything after it is handled. If it returns an error, the
	// shard is opened again after a pause, and OnGap is called again.
	OnGap func(ctx context.Context, id shardset.ID, g processor.Gap) error

	// Budget bounds memory and concurrent reads. Share one among several Handles of a process.
	// Nil means a new one for this Handle, of 64 MiB and 64 reads.
	Budget *Budget
	// ShardBytes bounds the part of the Budget that one shard takes. One read that is larger is
	// handled alone. Zero means as much as Prefetch and Concurrency need, up to half of the
	// Budget.
	ShardBytes int64
	// BatchBytes and BatchItems bound one read. Large reads cost less. Zero means 1 MiB and 65,536.
	BatchBytes int64
	BatchItems int
	// HandleItems bounds the items of one call of the handler: a read is handled in parts of that
	// many items, one after the other, or Concurrency at a time. 1 means item by item. A revoked
	// shard is drained when the running parts are handled. A position inside a read is committed
	// only if the source has positions for single items. Zero means that a read is handled whole.
	HandleItems int
	// Prefetch is how many reads are kept ready beside those being handled. Zero means 2,
	// negative none.
	Prefetch int
	// MinPause and MaxPause bound the pause between two reads of a shard that has no more to read.
	// Between these bounds, the pause is a quarter of the time since something was last read. A
	// Chunk may set another MinPause. A Reader that is a Waiter waits instead. Zero means 100 ms
	// and 1 s.
	MinPause, MaxPause time.Duration

	// Concurrency is how many batches of one shard are handled at a time. Zero means 1. A position
	// is committed only if all batches before it are acknowledged.
	Concurrency int
	// Key, if set, assigns each item to one of Concurrency lanes, so that items with the same key
	// are handled in order. If it panics, the shard is halted: any other lane could break the
	// order.
	Key func(T) string
	// Timeout ends the context of one attempt. Zero means never. A handler that ignores its context
	// is reported as stuck after coordinator.Config.NoProgressAfter.
	Timeout time.Duration

	// Retry spaces the attempts after errors. Zero fields mean 200 ms and 30 s.
	Retry processor.Backoff
	// Attempts bounds the number of attempts at a batch, and Elapsed the time from the beginning of
	// the first attempt to that of the last. Zero means no bound. After the last attempt the batch goes to
	// DeadLetter; without one, the shard is halted.
	//
	// With a DeadLetter, a batch is divided first, so that one bad item does not take others
	// along. Its parts, in their order, have one attempt each, and are divided again down to
	// single items. A single item has all attempts once more before it goes to DeadLetter. If all
	// n items are bad, that takes up to n*Attempts attempts. To give up the whole batch instead,
	// return ActionDeadLetter from OnError when Failure.Exhausted is set.
	Attempts int
	Elapsed  time.Duration
	// OnError chooses the action after each failed attempt. Nil means ActionRetry. It is not called
	// for an error made with processor.Halt or processor.Fatal, which is its own action. It runs on
	// the handler's goroutine.
	OnError func(ctx context.Context, f Failure) Action
	// DeadLetter stores what is given up: a single item, or the batch for which OnError returned
	// ActionDeadLetter. It runs instead of the handler, not beside it. A nil result acknowledges
	// the items. After an error it is called again, after the pauses of Retry and without a bound.
	DeadLetter func(ctx context.Context, b *Batch[T], f Failure) error

	// CommitInterval is the longest that an acknowledged batch waits for its commit. Zero means
	// 1 s. The commit comes earlier when the shard is idle, complete or revoked.
	CommitInterval time.Duration
	// CommitItems commits once that many items are acknowledged. Zero means no such limit.
	CommitItems int
}

// Validate returns a *shardset.ConfigError with every fault of the Options, or nil.
func (o Options[T]) Validate() error {
	return o.setDefaults(&shardset.ConfigError{Config: "batch.Options"})
}

// setDefaults fills in the defaults, and returns faults with those of o added, or nil.
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
		faults.Add("OnGap", "is set, but Expired is not, so no gap is ever passed")
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
