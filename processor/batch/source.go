package batch

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Source opens Readers for the shards of a log. It must be safe for concurrent use.
type Source[T any] interface {
	// Open returns a Reader for a shard. ctx is valid only during the call. Errors have the same
	// meaning as those of Reader.Read. Use processor.Halt or processor.Fatal if another call
	// cannot help, for instance if the source does not support the Initial or the end.
	Open(ctx context.Context, id shardset.ID, start Start) (Reader[T], error)
}

// Reader reads one shard. Its methods are called one at a time.
type Reader[T any] interface {
	// Position returns where the next Read begins. After Open, that is where the reader was
	// opened. It is empty while the reader does not know its position. Then the first Chunk with
	// a Next sets the position. That Chunk should have no Items, so that the loop can commit the
	// position before any item is handled. A reader that waits for an Initial in the future
	// returns empty Chunks with a Pause.
	Position() processor.Position

	// Read returns the next items that the shard has now, up to the limit. The last item may exceed it.
	// Read does not wait for new items (see Waiter), returns soon after ctx ends, and should have a
	// timeout of its own. After an error, the next Read begins at the same position.
	//
	// The error should match ErrExpired, ErrGone or ErrThrottled where one of them applies. An
	// error made with processor.Halt halts the shard, and one made with processor.Fatal ends the
	// worker. After any other error, the loop reads again after a growing pause. If the error has a
	// method RetryAfter() time.Duration, the pause is at least that long.
	Read(ctx context.Context, l Limit) (Chunk[T], error)

	// Close releases the resources of the reader. It is called once, after the last Read.
	Close() error
}

// Waiter is a Reader that can wait for data, by a long poll or a push.
type Waiter interface {
	// Wait returns nil when a Read may find something, or after a time that the reader chooses.
	// A Wait holds no part of the Budget. It may keep data that it receives for the next Read.
	Wait(ctx context.Context) error
}

// Start says where a Reader begins and ends.
type Start struct {
	// Position is the checkpoint to continue from. Empty means that there is none.
	Position processor.Position
	// Initial is where to begin without a Position. It is always set.
	//
	// Initial is meant for shards that exist when the group first starts. If the source can tell
	// that a shard was created later, it opens the shard at its oldest item instead. Any sign of
	// that is enough, because reading items twice is better than losing them. A source that cannot
	// tell the age of shards opens every shard at Initial.
	Initial Initial
	// Gap says that the data at the last position is gone. Then Initial is Options.Expired, and a
	// shard of any age is opened there.
	Gap bool
	// Checkpoints returns the stored checkpoints of all shards of the log. A source can tell the
	// age of the group from them. If the store cannot list them, the error matches
	// errors.ErrUnsupported, or Checkpoints is nil.
	Checkpoints func(ctx context.Context) ([]processor.Checkpoint, error)
	// Until is a time at which the reader ends: it reads what the service received before that
	// time. Items that a filter drops count as read. Until may be in the future. Zero means no end.
	Until time.Time
	// UntilPosition is a position at which the reader ends: it reads what comes before it. Empty
	// means no end. If both are set, the reader ends at the first that it reaches.
	UntilPosition processor.Position
	// Logger is for messages other than the errors that Read returns. It has the shard's fields.
	// Nil means silent.
	Logger *zap.Logger
}

// Limit bounds one Read.
type Limit struct {
	Bytes int64 // of memory for the items; at least 1
	Items int   // at least 1
}

// Chunk is the result of one Read.
type Chunk[T any] struct {
	Items []T
	// Next is the position after the Items, where the next Read begins. If a filter drops all
	// items, Next moves without Items. Empty means that the position has not moved.
	Next processor.Position
	// After returns the position after Items[i]. Nil means that single items have no positions, and
	// only Next can be committed. After is called concurrently, and never after Release.
	After func(i int) processor.Position
	// Bytes is the memory of the Items. It counts against the Budget.
	Bytes int64
	// More says that the shard has more items now, so the next Read begins without a pause.
	More bool
	// End is set if the reader returns no more items after these.
	End End
	// Recommit requests a commit of Next even if the position has not moved. Some services check
	// only at a commit whether a closed shard was read to its end.
	Recommit bool
	// Trouble is an error that does not stop reading. It is shown as processor.Progress.Trouble
	// until the next Read. Nil means none.
	Trouble error
	// Lag is how far Next is behind the end of the shard, in time. Zero means that Next is the end.
	// LagUnknown means that the source does not know.
	Lag time.Duration
	// Pause is the shortest time until the next Read. If it is set, it replaces Options.MinPause.
	Pause time.Duration
	// Release, if set, is called once when the Items are not needed any more, acknowledged or not.
	// A source can then reuse their memory. It must not block.
	Release func()
}

// LagUnknown is the Lag of a source that does not know it.
const LagUnknown time.Duration = -1

// End says why a Reader returns no more items. Zero means that it may return more.
type End uint8

const (
	// EndBound: the reader has reached Start.Until or Start.UntilPosition. The shard itself may
	// have more items.
	EndBound End = iota + 1
	// EndClosed: the shard is closed, and all of it was read.
	EndClosed
)

func (e End) String() string {
	switch e {
	case 0:
		return "open"
	case EndBound:
		return "bound"
	case EndClosed:
		return "closed"
	}
	return "unknown"
}

var (
	// ErrExpired: nothing can be read at the position. Either its data is gone because the retention
	// time is over, or the position does not belong to this shard. The loop acts as Options.Expired
	// says, but only after two seconds of this error: one wrong answer must not cost data.
	ErrExpired = errors.New("position has expired")

	// ErrGone: the shard does not exist any more. The loop acts as Options.Expired says, after two
	// seconds of this error.
	ErrGone = errors.New("shard is gone")

	// ErrThrottled: the service limits the rate of reads. The loop reads this shard more slowly.
	ErrThrottled = errors.New("reading was throttled")
)
