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

// Options is how batches are read, handled and committed. The zero value is a good
// default for all of it.
type Options[T any] struct {
	// Initial is where the shards begin that are there when the group first starts. Zero
	// means Earliest. Where a shard begins is committed at once, before anything is read,
	// so that a restart skips nothing; Earliest need not be.
	//
	// A shard that came to be later, by a split or merge for instance, begins at its
	// beginning: what is in it came after the group's start. The source says whether it
	// can tell; slslog can. One that cannot begins every shard without a checkpoint here,
	// and then a shard that is added loses what it got before it was opened, unless
	// Initial is Earliest.
	Initial Initial
	// Until ends the run at a time, UntilPosition each shard at a position of its own;
	// an empty one means no end. With coordinator.Config.Finite the worker ends when
	// the whole range is done.
	Until         time.Time
	UntilPosition func(shardset.ID) processor.Position
	// Expired is where to go on when the position has expired. Zero means not to: the
	// shard is halted, held and visible. Either is done when the source has said so for
	// two seconds; until then it is asked again, after pauses that grow, and shows
	// trouble. Each gap is logged, counted and told to OnGap.
	// A shard that is gone with what was left of it is a gap as well: without Expired it
	// is halted, with any it has ended. If the group takes it away before that, the gap is
	// logged and counted, whatever Expired is.
	Expired Initial
	// OnGap hears of a gap before anything behind it is handled. Its error is taken
	// for one of the source: opening is tried again, and the gap told again.
	OnGap func(ctx context.Context, id shardset.ID, g processor.Gap) error

	// Budget is the memory for what was read and is not done with, and the reads at a
	// time. Share one among several Handles of a process. Nil means a new one for
	// this Handle, of 64 MiB and 64 reads.
	Budget *Budget
	// ShardBytes is the most that one shard takes of it; a batch that is larger
	// passes, alone. Zero means what Prefetch and Concurrency need, up to half of the
	// budget.
	ShardBytes int64
	// BatchBytes and BatchItems bound one read. Large reads cost less. Zero means
	// 1 MiB and 65,536.
	BatchBytes int64
	BatchItems int
	// HandleItems bounds the items of one call of the handler: what was read together is
	// handled in parts of so many, one after the other, or Concurrency at a time. 1 means
	// item by item. A shard that has to go waits for the parts that are being handled.
	// Inside a read a position is committed only if the source has one for each item.
	// Zero means that what was read together is handled together.
	HandleItems int
	// Prefetch is how many reads are kept ahead of those being handled. Zero means
	// 2; negative means none.
	Prefetch int
	// MinPause and MaxPause bound the pause between two reads when there is nothing
	// more to read: it is a quarter of the time that nothing has come. A Chunk may ask
	// for another MinPause; a Reader that is a Waiter is awaited instead. Zero means
	// 100 ms and 1 s.
	MinPause, MaxPause time.Duration

	// Concurrency is how many batches of one shard are handled at a time. Zero means
	// 1. Only what all batches before it are acknowledged for is committed.
	Concurrency int
	// Key, if set, divides each batch by the key of its items among Concurrency
	// lanes, so that items with the same key are handled in order. A panic in it halts
	// the shard: to guess would break the order.
	Key func(T) string
	// Timeout ends the context of one attempt. Zero means never. A handler that ignores
	// that is told as stuck after coordinator.Config.NoProgressAfter.
	Timeout time.Duration

	// Retry spaces the attempts after errors. Zero fields mean 200 ms and 30 s.
	Retry processor.Backoff
	// Attempts and Elapsed bound the attempts: so many in all, and no further one
	// later than that after the first one began. Zero means no bound. When they are
	// used up and there is a DeadLetter, the batch is divided, so that one bad item does
	// not take others along: its parts, in their order, have one attempt each and are
	// divided again, down to single items. A single item has attempts up to the bounds
	// once more, before it alone is given up. If all n items are bad these are up to
	// n*Attempts attempts; an OnError that returns ActionDeadLetter for a Failure that
	// is Exhausted gives up the whole batch instead.
	Attempts int
	Elapsed  time.Duration
	// OnError decides after each failed attempt. Nil means ActionRetry: to
	// retry within the bounds, and then to divide the batch and to give its bad items to
	// DeadLetter if there is one, and to halt the shard otherwise. An error made with
	// processor.Halt or processor.Fatal demands its action itself. It runs on the handler's
	// goroutine, and is the place to hear of failures that are tried again.
	OnError func(ctx context.Context, f Failure) Action
	// DeadLetter takes what failed: a single item that the handler gave up or that
	// failed by itself, or the batch for which OnError said so. It runs in the place of
	// the handler, not beside it. Nil means that the items are in good hands; an
	// error is tried again, with the same pauses, without a bound.
	DeadLetter func(ctx context.Context, b *Batch[T], f Failure) error

	// CommitInterval is the longest that an acknowledged batch waits for its commit.
	// Zero means 1 s. It is committed earlier when the shard is idle, has ended or
	// has to go.
	CommitInterval time.Duration
	// CommitItems commits as soon as so many items were acknowledged. Zero means to
	// ignore their number.
	CommitItems int
}

// Validate returns a *shardset.ConfigError with every fault of the Options, or nil.
func (o Options[T]) Validate() error {
	return o.complete(&shardset.ConfigError{Config: "batch.Options"})
}

// complete fills in the defaults, and returns the faults with those of o added.
func (o *Options[T]) complete(faults *shardset.ConfigError) error {
	o.completeReading(faults)
	o.completeHandling(faults)
	return faults.Err()
}

func (o *Options[T]) completeReading(faults *shardset.ConfigError) {
	if (o.Initial == Initial{}) {
		o.Initial = Earliest()
	}
	if o.OnGap != nil && (o.Expired == Initial{}) {
		faults.Add("OnGap", "is set, but Expired is not, so no gap is ever passed")
	}
	if o.Budget == nil {
		o.Budget = NewBudget(DefaultBudget, defaultReads)
	}
	atLeast(faults, "BatchBytes", &o.BatchBytes, defaultBatchBytes)
	o.BatchBytes = min(o.BatchBytes, o.Budget.size)
	atLeast(faults, "BatchItems", &o.BatchItems, defaultBatchItems)
	atLeast(faults, "Concurrency", &o.Concurrency, 1)
	if o.Prefetch == 0 {
		o.Prefetch = defaultPrefetch
	}
	o.Prefetch = max(o.Prefetch, 0)
	ahead := o.BatchBytes * int64(o.Prefetch+o.Concurrency)
	atLeast(faults, "ShardBytes", &o.ShardBytes, max(o.BatchBytes, min(ahead, o.Budget.size/2)))
	if o.ShardBytes > 0 && o.ShardBytes < o.BatchBytes {
		o.BatchBytes = o.ShardBytes
	}
	atLeast(faults, "MinPause", &o.MinPause, defaultMinPause)
	atLeast(faults, "MaxPause", &o.MaxPause, max(defaultMaxPause, o.MinPause))
	if o.MaxPause < o.MinPause {
		faults.Add("MaxPause", "is %v; it must be at least MinPause, %v", o.MaxPause, o.MinPause)
	}
}

func (o *Options[T]) completeHandling(faults *shardset.ConfigError) {
	zeroOrMore(faults, "HandleItems", o.HandleItems)
	zeroOrMore(faults, "Timeout", o.Timeout)
	zeroOrMore(faults, "Attempts", o.Attempts)
	zeroOrMore(faults, "Elapsed", o.Elapsed)
	zeroOrMore(faults, "CommitItems", o.CommitItems)
	atLeast(faults, "Retry.Min", &o.Retry.Min, defaultRetryMin)
	atLeast(faults, "Retry.Max", &o.Retry.Max, max(defaultRetryMax, o.Retry.Min))
	if o.Retry.Max < o.Retry.Min {
		faults.Add("Retry.Max", "is %v; it must be at least Retry.Min, %v", o.Retry.Max, o.Retry.Min)
	}
	atLeast(faults, "CommitInterval", &o.CommitInterval, defaultCommitInterval)
}

// atLeast fills in a default for zero and refuses what is negative.
func atLeast[N int | int64 | time.Duration](faults *shardset.ConfigError, field string, n *N, byDefault N) {
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
