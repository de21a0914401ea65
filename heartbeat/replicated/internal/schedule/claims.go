package schedule

import (
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Claim is a checkpoint that a member of this process has claimed, and its revision.
type Claim struct {
	Token    group.Token
	Revision uint64
}

// Claim returns the claim of a shard, if this process knows one.
func (s *Scheduler) Claim(id shardset.ID) (Claim, bool) { c, ok := s.claims[id]; return c, ok }

// Claimed notes that a checkpoint was written. It ignores an epoch that is lower than the known
// one.
func (s *Scheduler) Claimed(c Claim) {
	if s.claims[c.Token.ID].Token.Epoch <= c.Token.Epoch {
		s.claims[c.Token.ID] = c
	}
}

// Owner returns the owner of a shard according to the newest document.
func (s *Scheduler) Owner(id shardset.ID) (group.Token, bool) { return s.replica.Owner(id) }

// Void returns the highest epoch of the deleted groups of this name: checkpoints up to that epoch
// are void. It reports false if there is no group.
func (s *Scheduler) Void() (uint64, bool) { return s.replica.VoidEpoch(), s.replica.TTL() != 0 }

// Remembered returns how many local members and claims the Scheduler remembers.
func (s *Scheduler) Remembered() (members, claims int) { return len(s.members), len(s.claims) }
