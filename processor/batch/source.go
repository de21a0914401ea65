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
	// Open prepares to read a shard. ctx is for opening only. Its error matches ErrExpired
	// if the data at start.Position is gone, and ErrGone if the shard is. It is made with
	// processor.Halt or processor.Fatal if trying again cannot help: for a bound that
	// the source cannot keep, or an Initial that it does not know. Any other error is
	// tried again.
	Open(ctx context.Context, id shardset.ID, start Start) (Reader[T], error)
}

// Reader reads one shard. Its methods are called one at a time.
type Reader[T any] interface {
	// Position returns where the next Read begins: the place where the reader was
	// opened, at first. It is empty if that is not known yet: the first Chunk with a Next
	// says it, best one without Items, because only then it can be committed. A reader
	// that waits for an Initial in the future returns empty Chunks with a Pause.
	Position() processor.Position

	// Read returns what comes next, as much as there is now, up to about the limit: the
	// last item may go over it. It does not wait for data that is not there (see Waiter),
	// honours ctx, and should bound its own time. An error leaves the reader where it was,
	// so that reading again skips nothing. Errors that match ErrExpired, ErrGone or
	// ErrThrottled, or that were made with processor.Halt or processor.Fatal, mean what
	// those say; any other is tried again after a pause that grows. The pause is at least
	// what a method RetryAfter() time.Duration of the error says.
	Read(ctx context.Context, l Limit) (Chunk[T], error)

	// Close frees what the reader holds. It is called once, after the last Read.
	Close() error
}

// Waiter is the ability of a Reader to wait for data: a long poll, a push.
type Waiter interface {
	// Wait returns nil when a Read may find something, after a while of its own
	// choice in any case. It holds no part of the budget. What it fetched on the
	// way, it may keep for Read.
	Wait(ctx context.Context) error
}

// Start says where to begin, and where to end.
type Start struct {
	// Position is the checkpoint to go on from; empty if there is none.
	Position processor.Position
	// Initial is where to begin without a position. It is always set. It is for the birth
	// of the group: a source that can tell when a shard came to be opens one that is
	// younger than the group at its beginning, and one of which it does not know as well,
	// as soon as anything suggests it: reading twice is better than losing. A source that
	// cannot tell opens every shard at Initial.
	Initial Initial
	// Gap says that the position has expired. Initial is Options.Expired then, and meant
	// for any shard.
	Gap bool
	// Checkpoints lists what the store has of all shards of the log, to tell how old the
	// group is. The error matches errors.ErrUnsupported if the store cannot list. Nil is
	// the same as that.
	Checkpoints func(ctx context.Context) ([]processor.Stored, error)
	// Until ends the reading at a time: read what the service received before it, whether it
	// passes a filter or not. As long as it is in the future, more can come. Zero means no
	// end.
	Until time.Time
	// UntilPosition ends the reading at a position: read what comes before it. Empty means
	// no end. With both, the earlier one counts.
	UntilPosition processor.Position
	// Logger is for what a reader has to say that is no error of a read. It has the
	// shard's fields. Nil means none.
	Logger *zap.Logger
}

// Initial is a place in a shard that has a name instead of a position. The zero value is no
// place. Compare with == to recognize Earliest and Latest.
type Initial struct {
	kind initialKind
	time time.Time
}

type initialKind uint8

const (
	initialEarliest initialKind = iota + 1
	initialLatest
	initialTime
)

// Earliest is the oldest item that is still there.
func Earliest() Initial { return Initial{kind: initialEarliest} }

// Latest is the end of the shard at the moment of opening, or where a source can tell, when
// the group was born.
func Latest() Initial { return Initial{kind: initialLatest} }

// At is the first item that the service received at or after t. A t in the future is
// waited for, and nothing before it is read.
func At(t time.Time) Initial { return Initial{kind: initialTime, time: t} }

// Time returns the time of an At, and whether i is one.
func (i Initial) Time() (time.Time, bool) { return i.time, i.kind == initialTime }

func (i Initial) String() string {
	switch i.kind {
	case initialEarliest:
		return "earliest"
	case initialLatest:
		return "latest"
	case initialTime:
		return i.time.Format(time.RFC3339Nano)
	}
	return "none"
}

// Limit bounds one Read.
type Limit struct {
	Bytes int64 // of memory that the items take; at least 1
	Items int   // at least 1
}

// Chunk is the result of one Read.
type Chunk[T any] struct {
	Items []T
	// Next is the position after the Items, where the next Read begins. It may move
	// without any Items, when a filter dropped them all. Empty means that it has not
	// moved.
	Next processor.Position
	// After returns the position after Items[i], where items have one each. Nil means
	// that only Next can be committed. It is called concurrently, and not after Release.
	After func(i int) processor.Position
	// Bytes is the memory that the Items take. It counts against the budget.
	Bytes int64
	// More: there is more to read at once.
	More bool
	// End is set when nothing comes after the Items.
	End End
	// Recommit has the position after the Items committed again although it has not
	// moved: for a service that looks at a shard only when a position is committed.
	Recommit bool
	// Trouble is what the source fails to do beside the reading, which goes on. It is
	// shown as processor.Progress.Trouble until the next Read. Nil means nothing.
	Trouble error
	// Lag is how far Next is behind the end of the shard, in time. Zero means at the
	// end, LagUnknown that the source cannot tell.
	Lag time.Duration
	// Pause is the least time until the next Read that the source asks for. If it is
	// set it takes the place of Options.MinPause.
	Pause time.Duration
	// Release, if set, is called once when the Items are done with, whatever became
	// of them: they may live in a pooled buffer. It must not wait.
	Release func()
}

// LagUnknown is the Lag of a source that cannot tell.
const LagUnknown time.Duration = -1

// End says why nothing comes after a Chunk.
type End uint8

const (
	// EndBound: the bound of the run is reached. The shard goes on.
	EndBound End = iota + 1
	// EndClosed: the shard takes no more data, and all of it was read.
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
	// ErrExpired: what is to be read next is gone, because the log keeps its data for
	// a while only, or the position is none of the shard's. It is believed when it has
	// been said for two seconds, as ErrGone is: one odd answer must not cost data.
	ErrExpired = errors.New("position has expired")

	// ErrGone: the shard is gone, with what was not read of it.
	ErrGone = errors.New("shard is gone")

	// ErrThrottled: the service asks for fewer reads. This shard slows down, others
	// go on.
	ErrThrottled = errors.New("reading was throttled")
)
