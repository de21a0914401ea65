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
	// KindDocument is the group: its members, and the owners of its shards. Its key has no
	// name.
	KindDocument Kind = iota + 1
	// KindRecord is the last heartbeat of one member. The key's name is the member's.
	KindRecord
	// KindCheckpoint is the position of one shard. The key's name is the shard's, as
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
	// to 148 bytes for a checkpoint. A Store escapes the bytes that its engine refuses.
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
	// Data is what was written, never empty. Nil: the key holds nothing. The receiver does not
	// change it.
	Data []byte
	// Revision numbers the versions of a key. It rises with every write, and no two versions
	// have the same one, also after the key was deleted and written again. Zero: the key holds
	// nothing, and the engine has no trace of an earlier version.
	Revision uint64
}

// ErrConflict is matched by the error of a write that was refused because the key is at another
// revision than the write expects. Nothing was written.
var ErrConflict = errors.New("the key is at another revision")

// Event is one version of a key, from a watch.
type Event struct {
	// Key is the key. The zero Key says that the watch has delivered everything that was there
	// when it began.
	Key Key
	// Value is the version. Data is nil if the key was deleted; Revision is then that of the
	// deletion, or zero if the engine keeps none.
	Value Value
}

// Store is what a group needs of an engine: one small value under each key, changed by
// compare-and-swap alone, and a way to watch changes. All keys are those of one group.
// Implementations are safe for concurrent use and honour their contexts.
//
// A write that ended with any error but ErrConflict may have been made, or may be made later. The
// caller never takes it for a failure.
type Store interface {
	// Get returns the newest version of a key: none older than a write that was acknowledged
	// before the call, as far as the engine can tell. Safety does not rest on that, but if
	// several reads in a row return an older version than one that was seen, the process takes
	// it for lost writes and starts over.
	Get(ctx context.Context, k Key) (Value, error)

	// Swap writes data over the version old, zero for a key that holds nothing, and returns the
	// new revision once the engine has it durably, or on as many machines as it needs. Data is
	// never empty. The error matches ErrConflict if the key is at another revision.
	Swap(ctx context.Context, k Key, old uint64, data []byte) (uint64, error)

	// Delete deletes the version old of a key, which is not zero, under the rules of Swap.
	Delete(ctx context.Context, k Key, old uint64) error

	// Watch passes to sink the present version of every key of the kind, then the zero Event,
	// then each change, until ctx ends or the watch breaks; it returns why. It calls sink from
	// one goroutine, one event at a time, with the versions of one key in order. It may leave
	// out versions that were overwritten meanwhile, but never the last one. Kinds are
	// KindDocument and KindRecord.
	Watch(ctx context.Context, kind Kind, sink func(Event)) error
}

// RecordClock is the ability of a Store to know by a clock of its own when each record was
// written. Without it each process measures for how long it has seen no change of a record. With
// it, watches may leave out heartbeats that say the same as the last one, and the few processes
// that watch all records ask which ones are old.
type RecordClock interface {
	// SwapQuietly is Swap of a record that says nothing new. Watches may leave it out.
	SwapQuietly(ctx context.Context, k Key, old uint64, data []byte) (uint64, error)
	// OlderRecords returns the records that were written longer than age ago, at each call as
	// long as they are there, and how long it will be until the next one is as old; negative:
	// there is none.
	OlderRecords(ctx context.Context, age time.Duration) (records []Event, next time.Duration, err error)
}

// Lister is the ability of a Store to list its keys. Purge needs it.
type Lister interface {
	// Keys returns the keys of a kind that hold something, and perhaps some that were deleted.
	// It may or may not return keys that are written or deleted meanwhile.
	Keys(ctx context.Context, kind Kind) ([]Key, error)
}
