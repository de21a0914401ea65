package shardset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// MaxWeight bounds a member's weight.
const MaxWeight = 1000

// maxNumber bounds epochs and generations. A service that recovers continues from the numbers
// that its members report, so it needs room above them.
const maxNumber = math.MaxInt64

// Heartbeat is the message from a member to the group service. It lists the shards that the
// member holds, and those whose work is complete. Tracker.Beat makes it.
type Heartbeat struct {
	// Member is the member's name; CheckName has the rule. A process that restarts under its
	// old name gets the shards of that name back at once.
	Member string
	// Weight sets the member's share of the shards: a member with weight 2 gets twice as many
	// as one with weight 1. At most MaxWeight. Zero means 1.
	Weight int
	// Seq numbers this member's heartbeats. A service drops a heartbeat that is older than the
	// newest one. Some services have no place for Seq, Instance and Generation, and ignore them.
	Seq uint64
	// Instance is the instance of the member that sends the heartbeat.
	Instance uint64
	// Generation is the newest generation that the member has seen in an answer.
	Generation uint64
	// Held lists every shard that the member holds, in any State: also the draining, the
	// restarting and the complete ones. Sorted. The Tracker uses the same slice: do not change
	// it.
	Held []Grant
	// Complete lists the shards of Held in StateComplete. A service that sets Answer.Complete
	// counts them. Sorted. The Tracker uses the same slice: do not change it.
	Complete []ID
	// Closed lists the closed shards that this member has processed to their end. Sorted.
	Closed []ID
	// Leaving says that the member takes no more shards. The service grants two kinds of its shards
	// to other members: those that it releases, and those that it was granted but has not started.
	Leaving bool
}

// Beat returns the heartbeat to send at now. From then on, the Tracker accepts only the answer to
// this heartbeat. A lease from that answer counts from now.
func (t *Tracker) Beat(now time.Time) Heartbeat {
	t.seq++
	t.sentAt = now
	h := Heartbeat{
		Member: t.cfg.Member, Weight: t.cfg.Weight,
		Seq: t.seq, Instance: t.instance, Generation: t.generation, Leaving: t.leaving,
	}
	if t.joinEmpty {
		return h
	}
	h.Held, h.Complete = t.entries.grants(), t.entries.complete()
	for id := range t.closed {
		h.Closed = append(h.Closed, id)
	}
	slices.SortFunc(h.Closed, ID.Compare)
	return h
}

// Validate returns an error that lists every fault of the heartbeat, or nil. A service calls it
// before it uses a heartbeat.
func (h *Heartbeat) Validate() error {
	var faults []error
	if err := CheckName(h.Member); err != nil {
		faults = append(faults, fmt.Errorf("the member name %w", err))
	}
	if h.Weight < 0 || h.Weight > MaxWeight {
		faults = append(faults, fmt.Errorf("the weight %d is not between 0 and %d", h.Weight, MaxWeight))
	}
	if h.Generation > maxNumber {
		faults = append(faults, fmt.Errorf("the generation %d is over %d", h.Generation, uint64(maxNumber)))
	}
	for _, g := range h.Held {
		if err := g.ID.Validate(); err != nil {
			faults = append(faults, err)
		}
		if g.Epoch > maxNumber {
			faults = append(faults, fmt.Errorf("shard %s: the epoch %d is over %d", g.ID, g.Epoch, uint64(maxNumber)))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("bad heartbeat: %w", errors.Join(faults...))
}
