package shardset

// difference is what an answer changes for a member: the whole protocol serves to find it,
// and to carry it out in order. A shard that is in no list goes on as it is.
type difference struct {
	start   []*Grant // assigned and not held: a processor starts
	revoke  []*entry // held and no longer assigned: its processor stops
	regrant []*entry // assigned under another epoch: the old run is void, a new one follows
}

// diff compares the shards that a member holds with those that it is assigned. Both lists
// are sorted by shard.
//
//	held  assigned
//	-     1@7       start
//	1@7   -         revoke
//	1@7   1@7       keep
//	1@7   1@8       regrant: between the two, the shard was nobody's or another member's
//
// A shard is held until its processor has returned. So a shard that drains and is assigned
// again is kept by diff: the drain goes on, and once the shard is released, the next answer
// has it as a start.
func diff(held []*entry, assigned []Grant) difference {
	d := difference{start: make([]*Grant, 0, len(assigned)), revoke: make([]*entry, 0, len(held))}
	for len(held) > 0 && len(assigned) > 0 {
		switch h, a := held[0], &assigned[0]; {
		case h.grant == *a:
			held, assigned = held[1:], assigned[1:]
		case h.grant.ID == a.ID:
			d.regrant = append(d.regrant, h)
			held, assigned = held[1:], assigned[1:]
		case h.grant.ID.Compare(a.ID) < 0:
			d.revoke = append(d.revoke, h)
			held = held[1:]
		default:
			d.start = append(d.start, a)
			assigned = assigned[1:]
		}
	}
	for i := range assigned {
		d.start = append(d.start, &assigned[i])
	}
	d.revoke = append(d.revoke, held...)
	return d
}
