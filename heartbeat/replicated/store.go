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
	// Data is never empty. Nil means that the key holds nothing. The receiver must not change it.
	Data []byte
	// Revision numbers the versions of a key. It rises with every write, and is never used twice,
	// even if the key was deleted and written again. Zero means that the key holds nothing, and
	// that the engine has no trace of an earlier version.
	Revision uint64
}

// ErrConflict is matched by the error of a write that was refused because the key is at another
// revision than the write expects. Nothing was written.
var ErrConflict = errors.New("the key is at another revision")

// Event is one version of a key, from a watch.
type Event struct {
	// Key is the key. The zero Key means that the watch has delivered everything that was there
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
// If a write returns any error except ErrConflict, the engine may have executed it, or may execute
// it later. The caller never assumes that such a write had no effect.
type Store interface {
	// Get returns the newest version of a key. As far as the engine can ensure it, that is no older
	// than the last write acknowledged before the call. Safety does not depend on that. But if
	// several reads in a row return an older version than the process has seen, it assumes that the
	// store has lost writes, and its members join again.
	Get(ctx context.Context, k Key) (Value, error)

	// Swap writes data over the revision old; zero is for a key that holds nothing. It returns the
	// new revision once the write is durable, or on as many machines as the engine requires. Data
	// is never empty. The error matches ErrConflict if the key is at another revision.
	Swap(ctx context.Context, k Key, old uint64, data []byte) (uint64, error)

	// Delete deletes a key at the revision old, which is not zero. Its errors are those of Swap.
	Delete(ctx context.Context, k Key, old uint64) error

	// Watch passes to sink the present version of every key of the kind, then the zero Event, then
	// each change, until ctx ends or the watch breaks; it returns why. It calls sink from one
	// goroutine, one event at a time, with the versions of one key in order. It may leave out
	// versions that were overwritten meanwhile, but never the last one. The kind is KindDocument or
	// KindRecord.
	Watch(ctx context.Context, kind Kind, sink func(Event)) error
}

// RecordClock is for a Store that knows by a clock of its own when each record was written. With
// it, the few processes that watch all records ask the Store which records are old, and watches may
// leave out heartbeats that report nothing new. Without it, each process measures for how long it
// has seen no change of a record.
type RecordClock interface {
	// SwapQuietly is Swap of a record that reports nothing new. Watches may leave it out.
	SwapQuietly(ctx context.Context, k Key, old uint64, data []byte) (uint64, error)
	// OlderRecords returns all records that were written longer than age ago; each call returns
	// them again. next is the time until another record is that old, and negative if there is none.
	OlderRecords(ctx context.Context, age time.Duration) (records []Event, next time.Duration, err error)
}

// Lister is the ability of a Store to list its keys. Purge needs it.
type Lister interface {
	// Keys returns the keys of a kind that hold something, and perhaps some that were deleted.
	// It may or may not return keys that are written or deleted meanwhile.
	Keys(ctx context.Context, kind Kind) ([]Key, error)
}
