package group

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Beat is one heartbeat: who speaks, and what it says.
type Beat struct {
	// Member is the member's name, 1 to 128 bytes.
	Member string
	// Weight is the member's share of the shards, relative to the others'. Zero means 1.
	Weight int
	shardset.Report
}

// MaxWeight bounds a member's weight.
const MaxWeight = 1000

func (b *Beat) validate() error {
	var faults []error
	if b.Member == "" || len(b.Member) > 128 {
		faults = append(faults, fmt.Errorf("the member name %q is not 1 to 128 bytes long", b.Member))
	}
	if b.Weight < 0 || b.Weight > MaxWeight {
		faults = append(faults, fmt.Errorf("the weight %d is not between 0 and %d", b.Weight, MaxWeight))
	}
	for _, h := range b.Held {
		if err := h.ID.Validate(); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("group: bad heartbeat: %w", errors.Join(faults...))
}

// Beat is the event of a heartbeat. It renews the member's lease, takes what it
// gave up, and answers with what it may hold. The answer's slice is shared, so
// only to be read.
//
// Errors change nothing: shardset.ErrEvicted for a member that the group does not
// know and that holds something, or an instance that is gone; shardset.ErrStaleBeat for
// a heartbeat that a newer one overtook; *shardset.ReplacedError for an instance that a
// newer one replaced; and anything else for a heartbeat that makes no sense.
func (g *Group) Beat(now time.Time, b Beat) (shardset.Answer, error) {
	if err := b.validate(); err != nil {
		return shardset.Answer{}, err
	}
	g.begin(now)
	m, err := g.admit(now, &b)
	if err != nil {
		g.end(now)
		return shardset.Answer{}, err
	}
	m.seq = b.Seq
	m.expires = now.Add(g.cfg.TTL)
	if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
		g.nextExpiry = m.expires
	}
	if w := max(b.Weight, 1); w != m.weight {
		m.weight = w
		g.dirty = true
	}
	if g.recovering(now) {
		g.adopt(m, b.Held)
		g.generation = max(g.generation, b.Generation)
	}
	g.finished(m, &b)
	g.released(m, &b)
	g.end(now)
	m.pending = false // this answer tells it
	return shardset.Answer{Grants: g.grants(m), TTL: g.cfg.TTL, Generation: g.generation}, nil
}

// admit finds the member that speaks, or makes it one.
func (g *Group) admit(now time.Time, b *Beat) (*member, error) {
	m := g.members[b.Member]
	if m == nil {
		if d, ok := g.graves[b.Member]; ok && b.Instance != 0 && b.Instance <= d.instance {
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
	case b.Instance == 0 || m.instance == 0 || b.Instance == m.instance:
		if b.Seq != 0 && b.Seq <= m.seq {
			return nil, shardset.ErrStaleBeat
		}
		m.instance = max(m.instance, b.Instance)
	case b.Instance < m.instance:
		return nil, &shardset.ReplacedError{Member: b.Member, Newest: m.instance}
	default:
		g.replace(m, b)
	}
	return m, nil
}

// join makes the speaker a member.
func (g *Group) join(b *Beat) *member {
	m := &member{name: b.Member, instance: b.Instance, weight: max(b.Weight, 1), stale: true}
	g.insert(m)
	delete(g.graves, b.Member)
	g.dirty = true
	return m
}

// adopt lets the member of a group that recovers keep what it holds, unless somebody
// holds it under a newer epoch. It does so at every heartbeat, not only at the one
// that joins: an old one, held up on the way, may have come first, with a shorter list.
func (g *Group) adopt(m *member, held []shardset.Grant) {
	for _, h := range held {
		i, ok := g.index[h.ID]
		if !ok {
			g.adoptRetired(m, h)
			continue
		}
		s := &g.shards[i]
		switch {
		case s.state == StateOver, s.owner == m && h.Epoch <= s.epoch:
			continue
		case h.Epoch == 0 && s.owner == nil:
			g.grant(i, m) // a member that knows no epochs
		case h.Epoch < s.epoch, h.Epoch == s.epoch && s.owner != nil:
			continue
		default:
			if s.owner != nil {
				g.free(i)
			}
			s.epoch = h.Epoch
			g.own(i, m)
		}
		// The member knew that it had it, so whenever it omits it, it has given it up.
		s.granted = 0
	}
}

// adoptRetired remembers that m holds a shard that is not in the list: it may have been
// taken out before the service forgot, and be put back.
func (g *Group) adoptRetired(m *member, h shardset.Grant) {
	r := g.retired[h.ID]
	if r.holder != nil {
		if h.Epoch <= r.epoch {
			return
		}
		r.holder.retired--
	}
	m.retired++
	g.retired[h.ID] = retiree{epoch: max(h.Epoch, r.epoch), holder: m}
}

// replace ends the old instance of a name and goes on with the new one. What the
// new one reports, a processor of the old one that ignores its end, stays with the
// member under a new epoch, so that nobody doubles it; everything else is free.
func (g *Group) replace(m *member, b *Beat) {
	held := heldIDs(b.Held)
	g.letGo(m, func(id shardset.ID, _ retiree) bool { return !has(held, id) })
	for _, i := range g.owned(m) {
		s := &g.shards[i]
		if s.state == StateHeld && !has(held, s.id) {
			g.free(i)
			continue
		}
		g.raise(i)
		g.touch()
		s.granted = g.generation
		g.changedAnswer(m)
		if s.state == StateTransfer && !has(held, s.id) {
			g.handOver(i)
		}
	}
	m.instance, m.seq = b.Instance, 0
	g.dirty = true
}

// finished takes the shards that their owner has read to the end. A member repeats
// itself until it is answered: what it has said before the shard was reopened and
// granted again does not count.
func (g *Group) finished(m *member, b *Beat) {
	for _, id := range b.Ended {
		i, ok := g.index[id]
		if !ok || g.shards[i].owner != m || b.Seq != 0 && b.Generation < g.shards[i].granted {
			continue
		}
		g.free(i)
		g.shards[i].state = StateOver
	}
}

// released takes the shards that their owner has given up: those that its heartbeat
// omits although it knew that it had them.
func (g *Group) released(m *member, b *Beat) {
	if m.out == 0 && m.retired == 0 && slices.Equal(b.Held, m.grants) && !m.stale {
		return // the steady state: it holds exactly what it was told
	}
	held := heldIDs(b.Held)
	numbered := b.Seq != 0
	g.letGo(m, func(id shardset.ID, r retiree) bool {
		return !has(held, id) && (!numbered || b.Generation >= r.granted)
	})
	for _, i := range g.owned(m) {
		s := &g.shards[i]
		if has(held, s.id) {
			continue
		}
		switch {
		case s.state == StateTransfer && (!numbered || b.Generation >= max(s.granted, s.revoked)):
			g.handOver(i)
		case s.state == StateHeld && numbered && b.Generation >= s.granted:
			g.free(i)
		}
	}
}

// Leave is the event of a member leaving for good. What it still reports as held,
// a processor that does not end, stays its own until its lease runs out; everything
// else is free at once. An unknown member has nothing to leave. Errors are those
// of Beat.
func (g *Group) Leave(now time.Time, b Beat) error {
	if err := b.validate(); err != nil {
		return err
	}
	g.begin(now)
	defer g.end(now)
	m := g.members[b.Member]
	if m == nil {
		return nil
	}
	if _, err := g.admit(now, &b); err != nil {
		return err
	}
	m.seq = b.Seq
	g.finished(m, &b)
	if len(b.Held) == 0 {
		g.drop(now, m)
		return nil
	}
	held := heldIDs(b.Held)
	g.letGo(m, func(id shardset.ID, _ retiree) bool { return !has(held, id) })
	for _, i := range g.owned(m) {
		switch s := &g.shards[i]; {
		case has(held, s.id):
		case s.state == StateTransfer:
			g.handOver(i)
		default:
			g.free(i)
		}
	}
	m.weight = 0 // it takes nothing more
	g.dirty = true
	return nil
}

// Expire is the event of time passing: members whose leases ended are dropped and
// their shards given away. Every other event does the same first.
func (g *Group) Expire(now time.Time) {
	g.begin(now)
	g.end(now)
}

// bury drops the members whose leases have ended.
func (g *Group) bury(now time.Time) {
	if g.nextExpiry.IsZero() || now.Before(g.nextExpiry) {
		return
	}
	g.nextExpiry = time.Time{}
	for _, m := range slices.Clone(g.sorted) {
		if !now.Before(m.expires) {
			g.drop(now, m)
			continue
		}
		if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
			g.nextExpiry = m.expires
		}
	}
	for name, d := range g.graves {
		if now.After(d.until) {
			delete(g.graves, name)
		}
	}
}

// drop ends a member.
func (g *Group) drop(now time.Time, m *member) {
	for _, i := range g.owned(m) {
		g.free(i)
	}
	g.letGo(m, func(shardset.ID, retiree) bool { return true })
	if m.in > 0 {
		for i := range g.shards {
			if s := &g.shards[i]; s.next == m {
				s.next = nil
			}
		}
		m.in = 0
	}
	delete(g.members, m.name)
	isM := func(o *member) bool { return o == m }
	g.sorted = slices.DeleteFunc(g.sorted, isM)
	if m.listed { // else it would stay until somebody calls TakeChanged
		g.changed = slices.DeleteFunc(g.changed, isM)
	}
	if m.instance != 0 {
		g.graves[m.name] = grave{instance: m.instance, until: now.Add(2 * g.cfg.TTL)}
	}
	g.dirty = true
}

// Token says who wants to store something for a shard: the fencing token.
type Token struct {
	Member   string
	Instance uint64 // zero: the service or the member has none
	ID       shardset.ID
	Epoch    uint64 // zero: the member was never told
}

// Fence reports whether the token's bearer owns the shard at now, or an error that
// matches shardset.ErrNotOwner. It looks at the shard's own epoch and never at the
// group's generation: somebody else's join must not refuse the owner's commit.
func (g *Group) Fence(now time.Time, tok Token) error {
	g.Expire(now)
	i, ok := g.index[tok.ID]
	if !ok {
		return fmt.Errorf("shard %s is not in the group: %w", tok.ID, shardset.ErrNotOwner)
	}
	s := &g.shards[i]
	switch {
	case s.owner == nil:
		return fmt.Errorf("shard %s is %s: %w", tok.ID, s.state, shardset.ErrNotOwner)
	case s.owner.name != tok.Member || tok.Instance != 0 && s.owner.instance != 0 && s.owner.instance != tok.Instance:
		return fmt.Errorf("shard %s is held by another member: %w", tok.ID, shardset.ErrNotOwner)
	case tok.Epoch != 0 && s.epoch != tok.Epoch:
		return fmt.Errorf("shard %s has epoch %d, not %d: %w", tok.ID, s.epoch, tok.Epoch, shardset.ErrNotOwner)
	}
	return nil
}

// Reopen makes a shard that is over consumable again, when its checkpoint was moved
// off its end. Others are left alone.
func (g *Group) Reopen(now time.Time, id shardset.ID) {
	g.begin(now)
	if i, ok := g.index[id]; ok && g.shards[i].state == StateOver {
		g.touch()
		g.shards[i].state = StateFree
		g.dirty = true
	}
	g.end(now)
}

// heldIDs returns a report's shards, sorted.
func heldIDs(held []shardset.Grant) []shardset.Grant {
	byID := func(a, b shardset.Grant) int { return a.ID.Compare(b.ID) }
	if slices.IsSortedFunc(held, byID) {
		return held
	}
	held = slices.Clone(held)
	slices.SortFunc(held, byID)
	return held
}

func has(held []shardset.Grant, id shardset.ID) bool {
	_, ok := slices.BinarySearchFunc(held, id, func(g shardset.Grant, id shardset.ID) int { return g.ID.Compare(id) })
	return ok
}
