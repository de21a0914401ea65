package group

import (
	"cmp"
	"slices"
	"time"
)

// rebalance brings every member to its quota with the fewest moves.
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
		return // no member can receive anything
	}
	take := g.taker()
	g.repromise(moving, take)
	g.assignFree(free, take)
	g.revokeExcess(take)
}

// setQuotas sets how many shards every member should have, and returns false if no member can have
// any. If other members can take shards, a quiet member gets no more than it has: it will probably
// expire, and would keep new shards for the rest of its lease.
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

// share distributes n shards. Each member's quota is its exact share, rounded down. The shards that are
// left raise some quotas by one. Members that already have more than the rounded share come first,
// because each shard that they keep saves a move. share returns false if the total weight is zero.
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

// load returns how many shards m will have after all transfers.
func (m *member) load() int { return m.held + m.incoming }

// taker returns a function that returns the first member, by name, that is below its quota, or nil.
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

// repromise finds a new next member for each shard in transfer whose next member has left or is above
// its quota. It prefers the owner, because then the shard does not move.
func (g *Group) repromise(moving []int32, take func() *member) {
	var unpromised []int32
	for _, i := range moving {
		s := &g.shards[i]
		if s.next != nil && s.next.deficit < 0 {
			s.next.incoming--
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
			g.endTransfer(i)
			continue
		}
		if next := take(); next != nil {
			next.deficit--
			next.incoming++
			s.next = next
		}
	}
}

// assignFree grants each free shard to its last owner if that member is below its quota. It grants the
// other shards, in order, to any members below their quotas.
func (g *Group) assignFree(free []int32, take func() *member) {
	rest := free[:0]
	for _, i := range free {
		last := g.shards[i].last
		if last != nil {
			last = g.members[last.name] // it may have left and joined again
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

// revokeExcess revokes the shards that members hold above their quotas, those with the highest IDs first.
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
