package heartbeattest

import (
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// set is a sorted set of shards. The zero value is the empty set.
type set []shardset.ID

// setOf returns the set of these shards. It keeps no reference to ids.
func setOf(ids ...shardset.ID) set {
	s := slices.Clone(ids)
	slices.SortFunc(s, shardset.ID.Compare)
	return slices.Compact(s)
}

// granted returns the shards of these grants.
func granted(grants []shardset.Grant) set {
	ids := make([]shardset.ID, len(grants))
	for i, g := range grants {
		ids[i] = g.ID
	}
	return setOf(ids...)
}

func (s set) has(id shardset.ID) bool {
	_, found := slices.BinarySearchFunc(s, id, shardset.ID.Compare)
	return found
}

func (s set) equal(other set) bool { return slices.Equal(s, other) }

// minus returns the shards of s that are not in other.
func (s set) minus(other set) set {
	return slices.DeleteFunc(slices.Clone(s), other.has)
}
