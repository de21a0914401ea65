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

// maxNumber bounds epochs and generations: a service that recovers takes them from its
// members, and must be able to count on from there.
const maxNumber = math.MaxInt64

// Heartbeat is the message from a member to the group service: which shards it holds, and
// what became of them. Tracker.Beat makes it.
type Heartbeat struct {
	// Member is the member's name; CheckName has the rule. Names are identity: a
	// restarted process takes the shards of its name back at once.
	Member string
	// Weight is the member's share of the shards relative to the other members', up to
	// MaxWeight. Zero means 1.
	Weight int
	// Seq numbers this member's heartbeats; a service drops any but the newest. A service
	// that cannot carry this number and the two that follow ignores them.
	Seq uint64
	// Instance is the run of the member that sends the heartbeat.
	Instance uint64
	// Generation is the newest generation that the member has seen in an answer.
	Generation uint64
	// Held lists every shard whose processor has not returned, those that are
	// draining included, and those that are complete but not revoked. Sorted;
	// shared with the Tracker: only read it.
	Held []Grant
	// Complete lists those of Held whose processors returned by themselves with their
	// work complete. A service that reports Answer.Complete counts them. Sorted, and
	// shared like Held.
	Complete []ID
	// Closed lists the closed shards that were processed to their end. Sorted.
	Closed []ID
	// Leaving says that the member takes no more shards: the service grants what it
	// releases, and what it has not started yet, to other members.
	Leaving bool
}

// Beat is the event of a heartbeat leaving at now. From then on only the answer to
// this one counts, and a lease that it gives counts from now.
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

// Validate returns an error that lists everything wrong with the heartbeat, or nil. A service
// calls it before it uses a heartbeat.
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
