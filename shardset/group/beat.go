package group

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Beat is the event of a heartbeat. It makes the sender a member if it is new, renews its lease,
// frees the shards that it has released, and returns the shards that it may hold. The caller must
// not change the slices in the answer.
//
// A heartbeat that Beat refuses changes nothing. The error is
//   - shardset.ErrEvicted if the instance has left or expired, if it was a member of the deleted group
//     before this one, or if an unknown member reports shards;
//   - shardset.ErrStaleHeartbeat if the same or a newer heartbeat came first;
//   - *shardset.ReplacedError if a newer instance has replaced this one;
//   - that of shardset.Heartbeat.Validate if the heartbeat is not valid.
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
	m.expires = now.Add(g.change.expiry(g.cfg.TTL))
	if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
		g.nextExpiry = m.expires
	}
	if m.quiet { // it may receive shards again
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
	m.answerChanged = false // this is the answer
	return shardset.Answer{Grants: g.grants(m), TTL: g.change.lease(g.cfg.TTL), Generation: g.generation, Complete: g.complete}, nil
}

// admit returns the member that sent a heartbeat. It makes a new sender a member.
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

// succeeds reports whether the sender has the name of the former member m, but is a new process that
// started after m's group was deleted.
func (m *member) succeeds(b *shardset.Heartbeat) bool {
	return b.Instance > m.instance || b.Instance == 0 && len(b.Held) == 0
}

// takeClosed closes the shards that their owner reports as closed. A member repeats the report until it
// has an answer. A report does not count if the shard was reopened and granted again after it.
func (g *Group) takeClosed(m *member, b *shardset.Heartbeat) {
	for _, id := range b.Closed {
		i, ok := g.index[id]
		if !ok || g.shards[i].owner != m || b.Seq != 0 && b.Generation < g.shards[i].granted {
			continue
		}
		g.closeShard(i)
	}
}

// setWeight sets the member's weight. The weight of a leaving member is zero, so it receives no more
// shards, not even those that it has just released.
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

// takeReleased frees the shards that the member has released. A shard is released if the heartbeat
// omits it, and the member knew of its grant and revocation or is leaving. The package comment has the
// rule for heartbeats without numbers.
func (g *Group) takeReleased(m *member, b *shardset.Heartbeat) {
	if m.outgoing == 0 && m.removed == 0 && slices.Equal(b.Held, m.grants) && !m.grantsStale {
		return // the steady state: it holds what the last answer said
	}
	held := sortedGrants(b.Held)
	numbered := b.Seq != 0
	knows := func(generation uint64) bool { return b.Leaving || b.Generation >= generation }
	g.releaseRemoved(m, func(id shardset.ID, r removedShard) bool {
		return !has(held, id) && (!numbered || knows(r.granted))
	})
	for _, i := range g.owned(m) {
		s := &g.shards[i]
		if has(held, s.id) {
			continue
		}
		switch {
		case s.state == StateTransfer && (!numbered || knows(max(s.granted, s.revoked))):
			g.handOver(i)
		case s.state == StateHeld && (numbered || b.Leaving) && knows(s.granted):
			g.free(i)
		}
	}
}

// sortedGrants returns the shards sorted, and each once.
func sortedGrants(held []shardset.Grant) []shardset.Grant {
	return ascending(held, func(a, b shardset.Grant) int { return a.ID.Compare(b.ID) })
}

// ascending returns the list sorted, and each element once.
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
