package group

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// maxRetired is how many shards that were taken out of the list, and that nobody holds any
// more, a group remembers one by one.
const maxRetired = 1 << 12

// fold forgets the longest retired shards if there are too many. All that they leave is
// their highest epoch, above which all epochs to come are: one that is put back goes on
// rising. It is free then, even if it was over: its checkpoint says so to its next owner. So
// those that were over are remembered longer.
func (g *Group) fold() {
	if len(g.retired) <= maxRetired {
		return
	}
	ids := make([]shardset.ID, 0, len(g.retired))
	for id, r := range g.retired {
		if r.holder == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) <= maxRetired {
		return
	}
	slices.SortFunc(ids, func(a, b shardset.ID) int {
		x, y := g.retired[a], g.retired[b]
		switch {
		case x.over != y.over && y.over:
			return -1
		case x.over != y.over:
			return 1
		}
		return cmp.Or(cmp.Compare(x.granted, y.granted), cmp.Compare(x.epoch, y.epoch), a.Compare(b))
	})
	for _, id := range ids[:len(ids)-maxRetired/2] { // not one at a time
		g.RaiseEpochs(g.retired[id].epoch)
		delete(g.retired, id)
	}
	g.changes++
}
