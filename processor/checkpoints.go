package processor

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Position is a place in a shard: the next thing to read, never the last one done.
// Only the source of the data knows its form; nothing else compares or computes it.
// The empty position is no position.
type Position string

// Owner is the fencing token that goes with every load and save.
type Owner struct {
	// Member and Instance say who: the name, and the run of it.
	Member   string
	Instance uint64
	// Lease says what: the shard, its epoch, and until when.
	Lease shardset.Lease
	// Epochs says that the lease's epoch is the service's, which orders all owners
	// of the shard. Otherwise it is made from the member's clock (shardset.Lease), and
	// is certain to order the grants to this instance only.
	Epochs bool
}

// Checkpoints is a store of one position per shard. Most group services are one.
// Implementations must be safe for concurrent use and honour their context.
type Checkpoints interface {
	// Load returns the shard's position, or false if there is none. It is called
	// after the grant and before the first Save under it, and claims the shard for
	// the owner where the store can fence: saves of earlier owners are refused from
	// then on. The present owner may load again: when its processor is restarted, and,
	// without Owner.Epochs, now and then before a Save. It returns an error that matches
	// ErrNotOwner if a newer owner has claimed the shard, and one made with Halt if what
	// is stored is damaged: somebody has to mend it. Any other error is tried again.
	Load(ctx context.Context, o Owner) (Position, bool, error)

	// Save stores the position durably before it returns nil. It returns an error
	// that matches ErrNotOwner, and stores nothing, if o is not the owner. Any
	// other error leaves it open whether the position was stored.
	Save(ctx context.Context, o Owner, p Position) error
}

// Fencer is the ability of a store, which is not the group service itself, to say
// that it refuses the commits of all but the last owner who loaded.
type Fencer interface {
	// FencesCommits reports whether it does. It always returns the same.
	FencesCommits() bool
}

// Lister is the ability of a store to list what it holds. Sources use it to tell whether
// a shard without a checkpoint is younger than the group: see batch.Start.
type Lister interface {
	// ListCheckpoints returns what is stored of the shards of a log, in no order. It
	// claims nothing.
	ListCheckpoints(ctx context.Context, log string) ([]Stored, error)
}

// Stored is what a store holds of one shard.
type Stored struct {
	ID shardset.ID
	// Position is empty if the store knows the shard but no position of it.
	Position Position
	// Updated is when the position was stored; zero if the store does not say.
	Updated time.Time
}

// CheckpointHooks are called around every commit, on the goroutine that commits.
// A nil hook is none. A panic in one is a panic of the processor.
type CheckpointHooks struct {
	// Before may veto: its error is returned by Shard.Commit and nothing is saved.
	// It is the place to flush what the position stands for.
	Before func(ctx context.Context, c Commit) error
	// After hears how the commit went: nil, or the error that Shard.Commit returns.
	// A vetoed commit is one of them.
	After func(c Commit, err error)
}

// Commit is what a hook hears about.
type Commit struct {
	Member   string
	Lease    shardset.Lease
	Position Position
	// Took is the time in the store; zero in Before, and when it was not reached.
	Took time.Duration
}
