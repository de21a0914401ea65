package processor

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Position is the place of the next item to read in a shard, never of the last one handled.
// Only the source of the data knows its format: do not compare or compute positions elsewhere.
// The empty Position means that there is none.
type Position string

// Owner is the fencing token of a load or a save. It identifies the member, its instance, the
// shard and the epoch.
type Owner struct {
	// Member is the name of the member, and Instance is one run of the member under its name.
	Member   string
	Instance uint64
	// Lease has the shard, the epoch, and the time at which the lease expires.
	Lease shardset.Lease
	// Epochs is true if the group service counts the epochs: then a higher epoch is always
	// a later owner. Otherwise each member makes epochs from its own clock (see
	// shardset.Lease): then only epochs of the same instance can be compared.
	Epochs bool
}

// Checkpoints stores one position for each shard. Most group services are also such a store.
// Implementations must be safe for concurrent use, and must return when their context ends.
type Checkpoints interface {
	// Load returns the shard's position, or false if there is none. A store that can fence
	// also claims the shard for o: from then on it refuses the saves of earlier owners.
	//
	// The worker calls Load after each grant, before the first Save. It calls Load again for
	// the same owner when it restarts the processor. If Owner.Epochs is false, it may also
	// call Load before a Save, to detect another process that uses the same member name.
	//
	// The error matches ErrNotOwner if a newer owner has claimed the shard. It is marked with
	// Halt if the stored position is damaged. After any other error the worker tries again.
	Load(ctx context.Context, o Owner) (Position, bool, error)

	// Save stores the position, and returns nil once it is durable. If o is not the owner,
	// Save stores nothing, and its error matches ErrNotOwner. After any other error the
	// position may or may not be stored.
	Save(ctx context.Context, o Owner, p Position) error
}

// Fencer is an ability of Checkpoints: to say whether they fence. Only a store that is not the
// group service itself needs it.
type Fencer interface {
	// FencesCommits reports whether the store accepts saves only from the owner that loaded
	// last. The result must never change.
	FencesCommits() bool
}

// Lister is an ability of Checkpoints: to list what they store. Sources use it to find out
// whether a shard without a checkpoint is younger than the group: see batch.Start.
type Lister interface {
	// ListCheckpoints returns the checkpoints of a log, in any order. It claims no shard.
	ListCheckpoints(ctx context.Context, log string) ([]Checkpoint, error)
}

// Checkpoint is the stored position of one shard.
type Checkpoint struct {
	ID shardset.ID
	// Position is empty if the store knows the shard but has no position that can be read.
	Position Position
	// Updated is when the position was stored. Zero means unknown.
	Updated time.Time
}

// CheckpointHooks are called before and after each commit, on the goroutine that called
// Shard.Commit. A nil hook is not called. A panic in a hook passes through Shard.Commit to its
// caller. A commit that the Shard refuses with ErrEmptyPosition or ErrReturned calls no hook.
type CheckpointHooks struct {
	// Before is called before the position is stored. Use it to flush the results of the
	// items before the position. If it returns an error, nothing is stored, and the error of
	// Shard.Commit wraps it. Before is not called if the lease or the context has ended.
	Before func(ctx context.Context, c Commit) error
	// After is called at the end of the commit, even if the commit failed. err is the result
	// of Shard.Commit.
	After func(c Commit, err error)
}

// Commit describes one commit to CheckpointHooks.
type Commit struct {
	Member   string
	Lease    shardset.Lease
	Position Position
	// Took is how long Checkpoints.Save took. It is zero in Before, and if Save was not called.
	Took time.Duration
}
