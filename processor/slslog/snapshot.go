package slslog

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// snapshot is the shards and the checkpoints at the moment when this process first opened a shard
// without a checkpoint. The service does not record when a group first started, so the snapshot
// alone decides whether a shard is younger than the group. It does no I/O and never changes.
type snapshot struct {
	shards []sls.Shard            // by number; nil: the service refuses to list them
	stored []processor.Checkpoint // their checkpoints
	listed bool                   // the store could list the checkpoints
}

func (s *snapshot) setShards(shards []sls.Shard) {
	s.shards = slices.SortedFunc(slices.Values(shards), func(a, b sls.Shard) int { return cmp.Compare(a.Number, b.Number) })
}

// younger reports whether a shard without a checkpoint was created after the group first started, or
// may have been: then it begins at its beginning, because all its logs came after that start.
// Without any sign of that, the shard is as old as the group. When a group first starts, several
// workers begin at a time, and a shard that another one has not committed yet must not have
// its history read.
func (s *snapshot) younger(shard int) bool {
	if s.shards == nil {
		return s.youngerByNumber(shard)
	}
	i, found := slices.BinarySearchFunc(s.shards, shard, func(s sls.Shard, n int) int { return cmp.Compare(s.Number, n) })
	switch {
	case !found:
		return true // it was created after the snapshot
	case s.groupIsNew():
		return false
	}
	ancestors := s.ancestors(i)
	if !s.listed {
		return len(ancestors) > 0 // they may have been read
	}
	for _, c := range s.stored {
		if c.Position != "" && ancestors[c.ID.Number] {
			return true
		}
	}
	oldest := s.oldestCheckpoint()
	return !oldest.IsZero() && s.shards[i].Created.After(oldest)
}

// youngerByNumber is younger without a list of the shards. Numbers of shards only rise: one above all
// that have a checkpoint is younger than those. A new group has no checkpoints, but the service
// names all shards that it knows.
func (s *snapshot) youngerByNumber(shard int) bool {
	highest, groupIsNew := -1, s.groupIsNew()
	for _, c := range s.stored {
		if groupIsNew || c.Position != "" {
			highest = max(highest, c.ID.Number)
		}
	}
	return highest >= 0 && shard > highest
}

// groupIsNew reports whether the group had no checkpoint at all.
func (s *snapshot) groupIsNew() bool {
	return s.listed && !slices.ContainsFunc(s.stored, func(c processor.Checkpoint) bool { return c.Position != "" })
}

// oldestCheckpoint returns when the oldest checkpoint was stored; zero if that is not known. The group
// is at least as old.
func (s *snapshot) oldestCheckpoint() (at time.Time) {
	for _, c := range s.stored {
		if c.Position != "" && !c.Updated.IsZero() && (at.IsZero() || c.Updated.Before(at)) {
			at = c.Updated
		}
	}
	return at
}

// ancestors returns the numbers of the shards from which s.shards[i] was split or merged. The service
// does not name them. They are the read-only shards with lower numbers that share keys with it, or
// with one of its ancestors.
func (s *snapshot) ancestors(i int) map[int]bool {
	found := map[int]bool{}
	begin, end := s.shards[i].BeginKey, s.shards[i].EndKey // of all that were found: one range
	for i--; i >= 0; i-- {
		if a := s.shards[i]; a.ReadOnly && a.BeginKey < end && begin < a.EndKey {
			found[a.Number] = true
			begin, end = min(begin, a.BeginKey), max(end, a.EndKey)
		}
	}
	return found
}
