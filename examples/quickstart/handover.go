package main

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// handover is the move of a shard from one worker to another.
type handover struct {
	id            shardset.ID
	before, after uint64 // the epochs of the old owner and of the new one
	from, to      string
	kind          handoverKind
	at            time.Time // when the new owner started
	// pause is how long the shard stood still: from the moment the old owner was
	// asked to finish, or was killed, until the new owner's Process was called.
	pause time.Duration
}

type handoverKind uint8

const (
	planned handoverKind = iota + 1 // the old owner finished its line and committed
	crash                           // the old owner was killed
	lapsed                          // the old owner lost its lease without being killed: a very busy machine
)

func (k handoverKind) String() string {
	switch k {
	case planned:
		return "planned"
	case crash:
		return "crash"
	}
	return "lease lost"
}

// handovers returns all handovers so far, in the order in which they happened.
func (j *journal) handovers() []handover {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []handover
	for id, list := range j.tenures {
		list = started(list)
		for i := 1; i < len(list); i++ {
			if h, ok := j.handover(id, list[i-1], list[i]); ok && list[i-1].outcome != shardset.OutcomeClosed {
				all = append(all, h)
			}
		}
	}
	slices.SortFunc(all, func(a, b handover) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.id.Compare(b.id)
	})
	return all
}

// handover reports false until the journal knows the end of the old tenure. The caller
// holds mu.
func (j *journal) handover(id shardset.ID, old, now *tenure) (handover, bool) {
	h := handover{id: id, before: old.epoch, after: now.epoch, from: old.member, to: now.member, at: now.started}
	killed, dead := j.kills[old.member]
	var since time.Time
	switch {
	case dead && old.stopped.IsZero():
		h.kind, since = crash, killed
	case !old.lost.IsZero():
		h.kind, since = lapsed, old.lost
	case !old.asked.IsZero():
		h.kind, since = planned, old.asked
	case !old.stopped.IsZero():
		h.kind, since = planned, old.stopped // the old owner had stopped by itself
	default:
		return handover{}, false
	}
	h.pause = h.at.Sub(since)
	return h, true
}

// pauses returns the pauses of the handovers of one kind, sorted.
func pauses(all []handover, kind handoverKind) []time.Duration {
	var list []time.Duration
	for _, h := range all {
		if h.kind == kind {
			list = append(list, h.pause)
		}
	}
	slices.Sort(list)
	return list
}
