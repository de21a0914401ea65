package group

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// maxRemoved is how many shards that were taken out of the list, and that nobody holds any
// more, a group remembers one by one.
const maxRemoved = 1 << 12

// fold forgets the longest retired shards if there are too many. All that they leave is
// their highest epoch, above which all epochs to come are: one that is put back goes on
// rising. It is free then, even if it was closed: its checkpoint says so to its next owner. So
// those that were over are remembered longer.
func (g *Group) forgetRemoved() {
	if len(g.removed) <= maxRemoved {
		return
	}
	ids := make([]shardset.ID, 0, len(g.removed))
	for id, r := range g.removed {
		if r.holder == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) <= maxRemoved {
		return
	}
	slices.SortFunc(ids, func(a, b shardset.ID) int {
		x, y := g.removed[a], g.removed[b]
		switch {
		case x.closed != y.closed && y.closed:
			return -1
		case x.closed != y.closed:
			return 1
		}
		return cmp.Or(cmp.Compare(x.granted, y.granted), cmp.Compare(x.epoch, y.epoch), a.Compare(b))
	})
	for _, id := range ids[:len(ids)-maxRemoved/2] { // not one at a time
		g.RaiseEpochs(g.removed[id].epoch)
		delete(g.removed, id)
	}
	g.changes++
}
