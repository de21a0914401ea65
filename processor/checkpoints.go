package processor

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Position is a place in a shard: the next item to read, never the last one handled. Only the
// source of the data knows its form: do not compare or compute positions elsewhere. The empty
// position means that there is none.
type Position string

// Owner is the fencing token of a load or a save: who owns which shard, under which epoch.
type Owner struct {
	// Member is the name of the owner, and Instance is its run under that name.
	Member   string
	Instance uint64
	// Lease has the shard, its epoch, and the time at which the lease expires.
	Lease shardset.Lease
	// Epochs: the group service counts the epochs, so they order all owners of the shard.
	// Otherwise the member makes them from its clock (shardset.Lease), and they are certain
	// to order only the grants to this instance.
	Epochs bool
}

// Checkpoints stores one position per shard. Most group services are also a store.
// Implementations are safe for concurrent use and return when their context ends.
type Checkpoints interface {
	// Load returns the shard's position, or false if there is none. A store that can fence
	// also claims the shard for o: from then on it refuses the saves of earlier owners.
	// Load comes after the grant and before the first Save. The same owner may load again:
	// when its processor is restarted, and, without Owner.Epochs, now and then before a
	// Save. The error matches ErrNotOwner if a newer owner has claimed the shard, and is
	// made with Halt if the stored position is damaged. After any other error the worker
	// tries again.
	Load(ctx context.Context, o Owner) (Position, bool, error)

	// Save stores the position, and returns nil once it is durable. If o is not the owner,
	// Save stores nothing, and its error matches ErrNotOwner. After any other error the
	// position may be stored or not.
	Save(ctx context.Context, o Owner, p Position) error
}

// Fencer is an ability of Checkpoints that are not the group service itself: to refuse the
// saves of all owners but the last one that loaded.
type Fencer interface {
	// FencesCommits reports whether the store can. It always returns the same.
	FencesCommits() bool
}

// Lister is an ability of Checkpoints: to list what they hold. Sources use it to find out
// whether a shard without a checkpoint is younger than the group: see batch.Start.
type Lister interface {
	// ListCheckpoints returns the stored shards of a log, in any order. It claims nothing.
	ListCheckpoints(ctx context.Context, log string) ([]Checkpoint, error)
}

// Checkpoint is what a store holds of one shard.
type Checkpoint struct {
	ID shardset.ID
	// Position is empty if the store knows the shard, but has no position of it.
	Position Position
	// Updated is when the position was stored. Zero: the store does not know.
	Updated time.Time
}

// CheckpointHooks are called around every commit, on the goroutine that commits. A nil
// hook is not called. A panic in a hook is a panic of the processor.
type CheckpointHooks struct {
	// Before is called before the store. Use it to flush what the position stands for. If it
	// returns an error, nothing is stored, and Shard.Commit returns that error.
	Before func(ctx context.Context, c Commit) error
	// After is called at the end of each commit, also of one that Before has vetoed. err is
	// the result of Shard.Commit.
	After func(c Commit, err error)
}

// Commit is one commit, as CheckpointHooks see it.
type Commit struct {
	Member   string
	Lease    shardset.Lease
	Position Position
	// Took is the time that the store took. Zero in Before, and if the store was not called.
	Took time.Duration
}
