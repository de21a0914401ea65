package group

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Beat is the event of a heartbeat. It renews the member's lease, takes what it
// gave up, and answers with what it may hold. The answer's slice is shared, so
// only to be read.
//
// Errors change nothing: shardset.ErrEvicted for a member that the group does not
// know and that holds something, or an instance that is gone; shardset.ErrStaleHeartbeat for
// a heartbeat that a newer one overtook; *shardset.ReplacedError for an instance that a
// newer one replaced; and anything else for a heartbeat that makes no sense.
func (g *Group) Beat(now time.Time, b shardset.Heartbeat) (shardset.Answer, error) {
	if err := b.Validate(); err != nil {
		return shardset.Answer{}, err
	}
	g.begin(now)
	m, err := g.admit(now, &b)
	if err != nil {
		g.end(now)
		return shardset.Answer{}, err
	}
	m.seq, m.seen, m.unnumbered = b.Seq, max(m.seen, b.Generation), b.Seq == 0
	m.expires = now.Add(g.change.silence(g.cfg.TTL))
	if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
		g.nextExpiry = m.expires
	}
	if m.quiet { // what it was not given may be its now
		m.quiet, g.dirty = false, true
	}
	g.setWeight(m, &b)
	if g.recovering(now) {
		g.adopt(m, b.Held)
		g.generation = max(g.generation, b.Generation)
	}
	g.takeClosed(m, &b)
	g.takeComplete(m, &b)
	g.takeReleased(m, &b)
	g.end(now)
	m.pending = false // this answer tells it
	return shardset.Answer{Grants: g.grants(m), TTL: g.change.lease(g.cfg.TTL), Generation: g.generation, Complete: g.complete}, nil
}

// admit finds the member that speaks, or makes it one.
func (g *Group) admit(now time.Time, b *shardset.Heartbeat) (*member, error) {
	m := g.members[b.Member]
	if m == nil {
		if d, ok := g.tombstones[b.Member]; ok && !now.After(d.until) && b.Instance != 0 && b.Instance <= d.instance {
			if b.Instance < d.instance {
				return nil, &shardset.ReplacedError{Member: b.Member, Newest: d.instance}
			}
			return nil, shardset.ErrEvicted
		}
		if len(b.Held) > 0 && !g.recovering(now) {
			return nil, shardset.ErrEvicted
		}
		return g.join(b), nil
	}
	switch {
	case m.former && !m.succeeds(b):
		if b.Instance != 0 && b.Instance < m.instance {
			return nil, &shardset.ReplacedError{Member: b.Member, Newest: m.instance}
		}
		return nil, shardset.ErrEvicted
	case m.former:
		g.replace(m, b)
	case b.Instance == 0 || m.instance == 0 || b.Instance == m.instance:
		if b.Seq != 0 && b.Seq <= m.seq {
			return nil, shardset.ErrStaleHeartbeat
		}
		m.instance = max(m.instance, b.Instance)
	case b.Instance < m.instance:
		return nil, &shardset.ReplacedError{Member: b.Member, Newest: m.instance}
	default:
		g.replace(m, b)
	}
	return m, nil
}

// succeeds reports whether a heartbeat is of a process that has started, or started over,
// since the group of the former member m was deleted.
func (m *member) succeeds(b *shardset.Heartbeat) bool {
	return b.Instance > m.instance || b.Instance == 0 && len(b.Held) == 0
}

// ended takes the shards that their owner has read to the end. A member repeats
// itself until it is answered: what it has said before the shard was reopened and
// granted again does not count.
func (g *Group) takeClosed(m *member, b *shardset.Heartbeat) {
	for _, id := range b.Closed {
		i, ok := g.index[id]
		if !ok || g.shards[i].owner != m || b.Seq != 0 && b.Generation < g.shards[i].granted {
			continue
		}
		g.closeShard(i)
	}
}

// setWeight sets the weight of the member that speaks. One that leaves has none: it takes
// nothing more, not even back what it has just given up.
func (g *Group) setWeight(m *member, b *shardset.Heartbeat) {
	w := max(b.Weight, 1)
	if b.Leaving {
		w = 0
	}
	if w != m.weight {
		m.weight = w
		g.dirty = true
		g.changes++
	}
}

// released takes the shards that their owner has given up: those that its heartbeat
// omits although it knew that it had them, or will take none any more.
func (g *Group) takeReleased(m *member, b *shardset.Heartbeat) {
	if m.out == 0 && m.removed == 0 && slices.Equal(b.Held, m.grants) && !m.stale {
		return // the steady state: it holds exactly what it was told
	}
	held := sortedGrants(b.Held)
	numbered := b.Seq != 0
	knew := func(generation uint64) bool { return b.Leaving || b.Generation >= generation }
	g.releaseRemoved(m, func(id shardset.ID, r removedShard) bool {
		return !has(held, id) && (!numbered || knew(r.granted))
	})
	for _, i := range g.owned(m) {
		s := &g.shards[i]
		if has(held, s.id) {
			continue
		}
		switch {
		case s.state == StateTransfer && (!numbered || knew(max(s.granted, s.revoked))):
			g.handOver(i)
		case s.state == StateHeld && (numbered || b.Leaving) && knew(s.granted):
			g.free(i)
		}
	}
}

// sortedGrants returns a report's shards, sorted and each once.
func sortedGrants(held []shardset.Grant) []shardset.Grant {
	return ascending(held, func(a, b shardset.Grant) int { return a.ID.Compare(b.ID) })
}

// ascending returns a list sorted, without what compares as equal to the one before.
func ascending[T any](list []T, compare func(a, b T) int) []T {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			list = slices.Clone(list)
			slices.SortStableFunc(list, compare)
			return slices.CompactFunc(list, func(a, b T) bool { return compare(a, b) == 0 })
		}
	}
	return list
}

func has(held []shardset.Grant, id shardset.ID) bool {
	_, ok := slices.BinarySearchFunc(held, id, func(g shardset.Grant, id shardset.ID) int { return g.ID.Compare(id) })
	return ok
}
