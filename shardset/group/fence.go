package group

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Token says who wants to store something for a shard: the fencing token.
type Token struct {
	Member   string
	Instance uint64 // zero: the service or the member has none
	ID       shardset.ID
	Epoch    uint64 // zero: the member was never told
}

// Fence reports whether the token's bearer owns the shard at now, or an error that
// matches shardset.ErrNotOwner. It looks at the shard's own epoch and never at the
// group's generation: somebody else's join must not refuse the owner's commit.
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

// RaiseEpochs makes all epochs to come higher than this one, which some store has seen: a
// group that has lost what it granted may be behind it.
func (g *Group) RaiseEpochs(epoch uint64) {
	if epoch > g.cfg.FirstEpoch {
		g.cfg.FirstEpoch = epoch
		g.changes++
	}
}
