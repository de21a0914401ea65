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

// Claim returns the claim of a shard that this process knows of.
func (s *Scheduler) Claim(id shardset.ID) (Claim, bool) { c, ok := s.claims[id]; return c, ok }

// Claimed notes that a checkpoint was written. An older epoch than the known one is ignored.
func (s *Scheduler) Claimed(c Claim) {
	if s.claims[c.Token.ID].Token.Epoch <= c.Token.Epoch {
		s.claims[c.Token.ID] = c
	}
}

// Owner returns the owner of a shard according to the newest document.
func (s *Scheduler) Owner(id shardset.ID) (group.Token, bool) { return s.replica.Owner(id) }

// Void is the highest epoch of the groups of this name that were deleted: checkpoints up to it
// are not this group's. It reports false if there is no group.
func (s *Scheduler) Void() (uint64, bool) { return s.replica.VoidEpoch(), s.replica.TTL() != 0 }

// Remembered is how many members and claims the Scheduler keeps in mind.
func (s *Scheduler) Remembered() (members, claims int) { return len(s.members), len(s.claims) }
