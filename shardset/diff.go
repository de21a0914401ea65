package shardset

// difference is what an answer changes for a member. A shard in none of the lists does not
// change.
type difference struct {
	start   []*Grant // assigned and not held: a processor starts
	revoke  []*entry // held and no longer assigned: its processor stops
	regrant []*entry // assigned under another epoch: its processor is cancelled, a new one follows
}

// diff compares the shards that a member holds with those that it is assigned. Both lists
// are sorted by shard.
//
//	held  assigned
//	-     1@7       start
//	1@7   -         revoke
//	1@7   1@7       keep
//	1@7   1@8       regrant: another member may have owned the shard in between
//
// A shard is held until its processor has returned. So diff keeps a draining shard that is
// assigned again, and the drain continues. Once the shard is released, it is in start.
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
