package group

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Token is a fencing token. It names the member that wants to commit, and the grant under which it owns
// the shard.
type Token struct {
	Member   string
	Instance uint64 // zero: unknown
	ID       shardset.ID
	Epoch    uint64 // zero: unknown
}

// Fence returns nil if the token belongs to the shard's owner at now. Otherwise it returns an error
// that matches shardset.ErrNotOwner. It compares the shard's epoch and not the group's generation,
// because the owner's commit must succeed even if another member joins.
func (g *Group) Fence(now time.Time, tok Token) error {
	g.Expire(now)
	i, ok := g.index[tok.ID]
	if !ok {
		return fmt.Errorf("shard %s is not in the group: %w", tok.ID, shardset.ErrNotOwner)
	}
	s := &g.shards[i]
	switch {
	case s.owner == nil:
		return fmt.Errorf("shard %s is %s: %w", tok.ID, s.state, shardset.ErrNotOwner)
	case s.owner.name != tok.Member || tok.Instance != 0 && s.owner.instance != 0 && s.owner.instance != tok.Instance:
		return fmt.Errorf("shard %s is held by another member: %w", tok.ID, shardset.ErrNotOwner)
	case tok.Epoch != 0 && s.epoch != tok.Epoch:
		return fmt.Errorf("shard %s has epoch %d, not %d: %w", tok.ID, s.epoch, tok.Epoch, shardset.ErrNotOwner)
	}
	return nil
}

// RaiseEpochs makes all later epochs higher than epoch. A service calls it when it finds an epoch above
// those of the group, for example beside a checkpoint. Such an epoch shows that the group has lost
// grants.
func (g *Group) RaiseEpochs(epoch uint64) {
	if epoch > g.cfg.FirstEpoch {
		g.cfg.FirstEpoch = epoch
		g.changes++
	}
}
