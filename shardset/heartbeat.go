package shardset

import (
	"errors"
	"fmt"
	"math"
)

// MaxWeight bounds a member's weight.
const MaxWeight = 1000

// maxNumber bounds epochs and generations: a service that believes its members, as one
// that recovers does, must be able to count on from there.
const maxNumber = math.MaxInt64

// maxMemberName is the longest name a member may have, in bytes.
const maxMemberName = 128

// Beat is one heartbeat: who speaks, and what it says.
type Heartbeat struct {
	// Member is the name of the member that speaks, 1 to 128 bytes. Names are
	// identity: a restarted process takes the shards of its name back at once.
	Member string
	// Weight is its share of the shards relative to the others', up to MaxWeight.
	// Zero means 1.
	Weight int
	// Report is what it holds, with the numbers that put it into order. A service
	// that cannot carry the numbers ignores them.
	Report
}

// Validate reports everything that is wrong with the heartbeat, or nil.
func (b *Heartbeat) Validate() error {
	var faults []error
	if b.Member == "" || len(b.Member) > maxMemberName {
		faults = append(faults, fmt.Errorf("the member name %.*q is not 1 to %d bytes long", maxMemberName, b.Member, maxMemberName))
	}
	if b.Weight < 0 || b.Weight > MaxWeight {
		faults = append(faults, fmt.Errorf("the weight %d is not between 0 and %d", b.Weight, MaxWeight))
	}
	if b.Generation > maxNumber {
		faults = append(faults, fmt.Errorf("the generation %d is over %d", b.Generation, uint64(maxNumber)))
	}
	for _, h := range b.Held {
		if err := h.ID.Validate(); err != nil {
			faults = append(faults, err)
		}
		if h.Epoch > maxNumber {
			faults = append(faults, fmt.Errorf("shard %s: the epoch %d is over %d", h.ID, h.Epoch, uint64(maxNumber)))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("bad heartbeat: %w", errors.Join(faults...))
}
