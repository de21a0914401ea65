package replicated

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what a key holds.
type Kind uint8

const (
	// KindDocument is the group: who is a member, and who holds which shard. It has
	// no name.
	KindDocument Kind = iota + 1
	// KindRecord is what one member says; its name is the member's.
	KindRecord
	// KindCheckpoint is the position of one shard; its name is the shard's, as
	// shardset.ID.String writes it.
	KindCheckpoint
)

func (k Kind) String() string {
	switch k {
	case KindDocument:
		return "document"
	case KindRecord:
		return "record"
	case KindCheckpoint:
		return "checkpoint"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Key names one value of one group.
type Key struct {
	Kind Kind
	// Name is empty for the document, 1 to 128 bytes of any kind for a record, and 1
	// to 148 bytes for a checkpoint. A Store escapes what its engine does not take.
	Name string
}

func (k Key) String() string {
	if k.Name == "" {
		return k.Kind.String()
	}
	return fmt.Sprintf("%s %.150q", k.Kind, k.Name)
}

// Value is one version of a key.
type Value struct {
	// Data is what was written, never empty. Nil: there is nothing under the key. It is
	// not to be changed.
	Data []byte
	// Revision numbers the versions of a key: it rises with every write and no
	// version ever has that of another, also after the key was deleted and made
	// again. Zero: there is nothing under the key, and no trace of anything.
	Revision uint64
}

// ErrConflict is matched by the error of a write that was refused because the key was
// not at the revision it was said to be at. Nothing was written.
var ErrConflict = errors.New("the key is at another revision")

// Event is what a watch tells.
type Event struct {
	// Key is whose version this is. The zero Key says that everything which was there
	// when the watch began has been told.
	Key Key
	// Value is the version. Data is nil if the key was deleted; Revision is then that
	// of the deletion, or zero where the engine keeps none.
	Value Value
}

// Store is what a group needs of an engine: one small value under each key, changed by
// compare-and-swap alone, and a way to hear of changes. All keys are those of one
// group. Implementations are safe for concurrent use and honour their contexts.
//
// A write that ended with any error but ErrConflict may have been made, or be made
// later: nobody takes it for a failure.
type Store interface {
	// Get returns the newest version of a key: none older than a write that was
	// acknowledged before the call, as far as the engine can say so. The protocol's
	// safety does not rest on it, but its calm does: one that is older than what was
	// seen, several times in a row, is taken for a store that has lost writes.
	Get(ctx context.Context, k Key) (Value, error)

	// Swap writes data over the version old, zero for a key that holds nothing, and
	// returns the new revision once the engine has it durably, or on as many machines
	// as it needs. Data is never empty. The error matches ErrConflict if the key is at another revision.
	Swap(ctx context.Context, k Key, old uint64, data []byte) (uint64, error)

	// Delete deletes the version old of a key, which is not zero, under the rules of Swap.
	Delete(ctx context.Context, k Key, old uint64) error

	// Watch tells sink the present version of every key of the kind, then the zero
	// Event, then each change, until ctx ends or the watch breaks; it returns why. It
	// calls sink from one goroutine, one event at a time, the versions of one key in
	// order. Versions that were overwritten meanwhile may be left out, the last one
	// never. Kinds are KindDocument and KindRecord.
	Watch(ctx context.Context, kind Kind, sink func(Event)) error
}

// RecordClock is the ability of a Store to know by a clock of its own when each record was
// written. Without it each process measures for how long it has seen no change of a record. With
// it, watchers need not be told of a heartbeat that says the same as the last one, and only the
// few processes that watch all records ask for the old ones.
type RecordClock interface {
	// SwapQuietly is Swap of a record without news: watchers need not be told.
	SwapQuietly(ctx context.Context, k Key, old uint64, data []byte) (uint64, error)
	// OlderRecords returns the records that were written longer than age ago, each time it is
	// called as long as they are there, and how long it will be until the next one is;
	// negative: there is none.
	OlderRecords(ctx context.Context, age time.Duration) (records []Event, next time.Duration, err error)
}

// Lister is the ability of a Store to say which keys there are. Purge needs it.
type Lister interface {
	// Keys returns the keys of a kind that hold something, and perhaps some that were
	// deleted. Which of those that are written or deleted meanwhile are among them is open.
	Keys(ctx context.Context, kind Kind) ([]Key, error)
}
