package slslog

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// snapshot holds the shards and the checkpoints as they were when this process first opened a shard
// without a checkpoint. The service does not record when a group first started, so only the snapshot
// shows whether a shard is younger than the group. It never changes.
type snapshot struct {
	shards []sls.Shard            // in the order of their numbers; nil: the list is not available
	stored []processor.Checkpoint // the checkpoints of the shards
	listed bool                   // the store was able to list the checkpoints
}

func (s *snapshot) setShards(shards []sls.Shard) {
	s.shards = slices.SortedFunc(slices.Values(shards), func(a, b sls.Shard) int { return cmp.Compare(a.Number, b.Number) })
}

// younger reports whether a shard without a checkpoint counts as younger than the group: there is a sign
// that it was created after the group first started. All logs of such a shard came after that start, so
// it is read from its first log.
//
// A checkpoint of a shard that is not an ancestor is no such sign. When a group first starts, several
// workers open shards at the same time. One worker may find a checkpoint of another, and must not read
// the whole history of its own shard because of that.
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

// youngerByNumber does the work of younger without a list of the shards. New shards get higher numbers.
// So a shard counts as younger if its number is above those of all shards with a checkpoint. In a new
// group no shard has a checkpoint; then the shard's number must be above those of all shards that the
// store of the checkpoints lists.
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

// oldestCheckpoint returns when the oldest checkpoint was stored. The group is at least as old. Zero
// means that the time is unknown.
func (s *snapshot) oldestCheckpoint() (at time.Time) {
	for _, c := range s.stored {
		if c.Position != "" && !c.Updated.IsZero() && (at.IsZero() || c.Updated.Before(at)) {
			at = c.Updated
		}
	}
	return at
}

// ancestors returns the numbers of the shards that became s.shards[i] by splits and merges. The service
// does not return them. They are the read-only shards with lower numbers whose keys overlap with those of
// the shard, or of one of its ancestors.
func (s *snapshot) ancestors(i int) map[int]bool {
	found := map[int]bool{}
	begin, end := s.shards[i].BeginKey, s.shards[i].EndKey // of the shard and all ancestors found so far
	for i--; i >= 0; i-- {
		if a := s.shards[i]; a.ReadOnly && a.BeginKey < end && begin < a.EndKey {
			found[a.Number] = true
			begin, end = min(begin, a.BeginKey), max(end, a.EndKey)
		}
	}
	return found
}
