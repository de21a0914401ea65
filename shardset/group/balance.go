package group

import (
	"cmp"
	"slices"
	"time"
)

// rebalance moves the fewest shards that bring every member to its quota.
func (g *Group) rebalance(now time.Time) {
	g.orderShards()
	for _, m := range g.sorted {
		m.quiet = m.quietInStore || m.expires.Sub(now) < g.cfg.TTL/2
	}
	var free, moving []int32
	n := 0
	for i := range g.shards {
		switch g.shards[i].state {
		case StateFree:
			free = append(free, int32(i))
			n++
		case StateTransfer:
			moving = append(moving, int32(i))
			n++
		case StateHeld:
			n++
		}
	}
	if !g.setQuotas(n) {
		return // nobody to give anything to
	}
	take := g.taker()
	g.repromise(moving, take)
	g.assignFree(free, take)
	g.revokeExcess(take)
}

// setQuotas gives every member its number of shards. One that is quiet gets none above
// those that it has, as long as somebody else is there to take them: most likely it is gone
// like others of which the group has heard, and would keep them for the rest of its lease.
func (g *Group) setQuotas(n int) bool {
	members := g.sorted
	for {
		if !share(members, n) {
			return false
		}
		rest, heard := make([]*member, 0, len(members)), false
		for _, m := range members {
			if !m.quiet || m.quota <= m.load() {
				rest = append(rest, m)
			}
			heard = heard || !m.quiet && m.weight > 0
		}
		if !heard || len(rest) == len(members) {
			break
		}
		for _, m := range members {
			if m.quiet && m.quota > m.load() {
				m.quota = m.load()
				n -= m.quota
			}
		}
		members = rest
	}
	for _, m := range g.sorted {
		m.deficit = m.quota - m.load()
	}
	return true
}

// share gives members their numbers of n shards: the whole part of the exact
// share, and one more for as many as the rest allows. Those who have more than the
// whole part already come first, because taking it away would be a move.
func share(members []*member, n int) bool {
	total := 0
	for _, m := range members {
		total += m.weight
	}
	if total == 0 {
		return false
	}
	left := n
	var more []*member
	for _, m := range members {
		m.quota = n * m.weight / total
		left -= m.quota
		if n*m.weight%total != 0 {
			more = append(more, m)
		}
	}
	slices.SortStableFunc(more, func(a, b *member) int {
		aHas, bHas := a.load() > a.quota, b.load() > b.quota
		switch {
		case aHas != bHas && aHas:
			return -1
		case aHas != bHas:
			return 1
		}
		return cmp.Compare(n*b.weight%total, n*a.weight%total)
	})
	for _, m := range more[:left] {
		m.quota++
	}
	return true
}

// load is how many shards m has once all promises are kept.
func (m *member) load() int { return m.held + m.in }

// taker returns a function that names the first member, by name, with room left.
func (g *Group) taker() func() *member {
	k := 0
	return func() *member {
		for k < len(g.sorted) && g.sorted[k].deficit <= 0 {
			k++
		}
		if k == len(g.sorted) {
			return nil
		}
		return g.sorted[k]
	}
}

// repromise finds a new next member for the shards in transfer whose next is gone
// or has too much by now. The owner itself comes first: that is no move.
func (g *Group) repromise(moving []int32, take func() *member) {
	var unpromised []int32
	for _, i := range moving {
		s := &g.shards[i]
		if s.next != nil && s.next.deficit < 0 {
			s.next.in--
			s.next.deficit++
			s.next = nil
		}
		if s.next == nil {
			unpromised = append(unpromised, i)
		}
	}
	for _, i := range unpromised {
		s := &g.shards[i]
		if s.owner.deficit > 0 {
			s.owner.deficit--
			g.keep(i)
			continue
		}
		if next := take(); next != nil {
			next.deficit--
			next.in++
			s.next = next
		}
	}
}

// assignFree grants what nobody owns: to whom it belonged before, if there is room,
// and the rest in order.
func (g *Group) assignFree(free []int32, take func() *member) {
	rest := free[:0]
	for _, i := range free {
		last := g.shards[i].last
		if last != nil {
			last = g.members[last.name] // the same name may be a new member by now
		}
		if last == nil || last.deficit <= 0 {
			rest = append(rest, i)
			continue
		}
		last.deficit--
		g.grant(i, last)
	}
	for _, i := range rest {
		m := take()
		if m == nil {
			return
		}
		m.deficit--
		g.grant(i, m)
	}
}

// shed revokes what a member has above its quota, its last shards first.
func (g *Group) revokeExcess(take func() *member) {
	for _, m := range g.sorted {
		owned := g.owned(m)
		for k := len(owned) - 1; k >= 0 && m.deficit < 0; k-- {
			if g.shards[owned[k]].state != StateHeld {
				continue
			}
			next := take()
			if next == nil {
				return
			}
			next.deficit--
			m.deficit++
			g.promise(owned[k], next)
		}
	}
}

// order makes shards wait for their ancestors, and releases those that need not.
func (g *Group) orderShards() {
	blocked := make(map[int32]bool)
	for i := range g.shards {
		s := &g.shards[i]
		// One that waits is looked at even without parents: they may have expired.
		if s.state != StateWait && (s.state != StateFree || len(s.parents) == 0) {
			continue
		}
		to := StateFree
		if g.cfg.Ordered && g.blocked(int32(i), blocked) {
			to = StateWait
		}
		if s.state != to {
			g.touch()
			s.state = to
		}
	}
}

// blocked reports whether some ancestor of shard i is not over. memo holds what was
// found before; the ancestry has no cycles.
func (g *Group) blocked(i int32, memo map[int32]bool) bool {
	if b, ok := memo[i]; ok {
		return b
	}
	b := false
	for _, p := range g.shards[i].parents {
		if g.shards[p].state != StateClosed || g.blocked(p, memo) {
			b = true
			break
		}
	}
	memo[i] = b
	return b
}
