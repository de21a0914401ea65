package batch

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Source is where the items of shards come from. It must be safe for concurrent use.
type Source[T any] interface {
	// Open returns a Reader for a shard. ctx is valid during the call only. The error matches
	// ErrExpired if the data at start.Position is gone, and ErrGone if the shard is. It is made
	// with processor.Halt or processor.Fatal if trying again cannot help: for an Initial or an
	// end that the source does not support, for instance. After any other error, Open is called
	// again.
	Open(ctx context.Context, id shardset.ID, start Start) (Reader[T], error)
}

// Reader reads one shard. Its methods are called one at a time.
type Reader[T any] interface {
	// Position returns where the next Read begins; after Open, where the reader was opened. It
	// is empty if the reader does not know that yet. Then the first Chunk with a Next sets it.
	// That Chunk should have no Items, so that the position can be committed before any item is
	// handled. A reader that waits for an Initial in the future returns empty Chunks with a
	// Pause.
	Position() processor.Position

	// Read returns the next items that are there now, up to about the limit: the last item may
	// exceed it. It does not wait for new data (see Waiter), returns soon after ctx ends, and
	// should bound its own time. After an error, the next Read begins at the same position.
	//
	// Errors that match ErrExpired, ErrGone or ErrThrottled, and errors made with processor.Halt
	// or processor.Fatal, have the meaning described there. After any other error, Read is called
	// again after a growing pause. If the error has a method RetryAfter() time.Duration, the
	// pause is at least that long.
	Read(ctx context.Context, l Limit) (Chunk[T], error)

	// Close frees what the reader holds. It is called once, after the last Read.
	Close() error
}

// Waiter is a Reader that can wait for data: by a long poll or a push.
type Waiter interface {
	// Wait returns nil when a Read may find something, and otherwise after a time that the reader
	// chooses. It holds no part of the Budget. It may keep data that it receives for the next
	// Read.
	Wait(ctx context.Context) error
}

// Start is where a Reader begins and ends.
type Start struct {
	// Position is the checkpoint to continue from. Empty means that there is none.
	Position processor.Position
	// Initial is where to begin without a Position. It is always set. It is meant for shards that
	// exist when the group first starts. A source that can tell when a shard was created opens
	// one that is younger than the group at its beginning, and also one of unknown age if there
	// is any sign that it is younger: to read twice is better than to lose. A source that cannot
	// tell opens every shard at Initial.
	Initial Initial
	// Gap says that the position has expired. Then Initial is Options.Expired, and holds for
	// every shard.
	Gap bool
	// Checkpoints lists the stored checkpoints of all shards of the log, from which a source can
	// tell the age of the group. The error matches errors.ErrUnsupported if the store cannot list
	// them. Nil means the same.
	Checkpoints func(ctx context.Context) ([]processor.Checkpoint, error)
	// Until is the end in time: read what the service received before it, including items that a
	// filter drops. While it is in the future, more can come. Zero means no end.
	Until time.Time
	// UntilPosition is the end as a position: read what comes before it. Empty means no end. If
	// both are set, the earlier one counts.
	UntilPosition processor.Position
	// Logger is for messages that are not errors of a read. It has the shard's fields. Nil means
	// silent.
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
	// Next is the position after the Items, where the next Read begins. It may move without any
	// Items if a filter dropped them all. Empty means that it has not moved.
	Next processor.Position
	// After returns the position after Items[i]. Nil means that items have no positions of their
	// own, and only Next can be committed. It is called concurrently, and not after Release.
	After func(i int) processor.Position
	// Bytes is the memory of the Items. It counts against the Budget.
	Bytes int64
	// More says that the next Read will find more at once.
	More bool
	// End is set if nothing comes after the Items.
	End End
	// Recommit asks for a commit of the position after the Items even if it has not moved. It is
	// for a service that checks a shard only at a commit.
	Recommit bool
	// Trouble is an error of the source that does not stop the reading. It is shown as
	// processor.Progress.Trouble until the next Read. Nil means none.
	Trouble error
	// Lag is how far Next is behind the end of the shard, in time. Zero means at the end, and
	// LagUnknown that the source cannot tell.
	Lag time.Duration
	// Pause is the least time until the next Read. If it is set, it replaces Options.MinPause.
	Pause time.Duration
	// Release, if set, is called once when the Items are not needed any more, whatever became of
	// them. A source can use it to reuse their memory. It must not block.
	Release func()
}

// LagUnknown is the Lag of a source that cannot tell it.
const LagUnknown time.Duration = -1

// End says why nothing comes after a Chunk. Zero means that the shard goes on.
type End uint8

const (
	// EndBound: Start.Until or Start.UntilPosition is reached. The shard goes on.
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
	// ErrExpired: the data at the position is gone because the log keeps its data for a limited
	// time only, or the position is not one of this shard. The loop acts on it only after reads
	// have returned it for two seconds, because one wrong answer must not cost data. See
	// Options.Expired.
	ErrExpired = errors.New("position has expired")

	// ErrGone: the shard is gone, including what was not read of it. The loop acts on it after two
	// seconds, as on ErrExpired.
	ErrGone = errors.New("shard is gone")

	// ErrThrottled: the service asks for fewer reads. Only this shard slows down.
	ErrThrottled = errors.New("reading was throttled")
)
