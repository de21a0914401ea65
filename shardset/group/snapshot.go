package group

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// ShardInfo is one shard in a Snapshot.
type ShardInfo struct {
	ID       shardset.ID
	State    ShardState
	Owner    string // empty: none
	Next     string // the member that receives it when the owner has released it; empty: none
	Epoch    uint64 // of the owner, or of the last one
	Complete bool   // the work is complete; the owner keeps the shard so that no other member repeats it
}

// MemberInfo is one member in a Snapshot.
type MemberInfo struct {
	Name     string
	Instance uint64
	Weight   int
	Expires  time.Time // when its lease ends if it sends no heartbeat
	Held     int       // shards that it owns, including those in transfer from it
	Incoming int       // shards promised to it
	// Former is true if it was a member of the deleted group that this one replaces. It may
	// still work on its shards, so they are in transfer from it. It receives no shards.
	Former bool
}

// Snapshot describes a Group at one moment, for people to read. Shards and members are sorted. It
// shares no memory with the Group.
type Snapshot struct {
	Generation uint64
	// Lease is how long a heartbeat keeps a member's shards. Expiry is how long after its last
	// heartbeat a member expires. Both equal the TTL, except while SetTTL changes it.
	TTL, Lease, Expiry time.Duration

	Complete bool // there are shards, and all are closed or complete
	Shards   []ShardInfo
	Members  []MemberInfo
}

// Snapshot returns the group as it was after the last event. Call Expire first to remove expired
// members.
func (g *Group) Snapshot() Snapshot {
	snap := Snapshot{
		Generation: g.generation,
		Complete:   g.complete,
		Shards:     make([]ShardInfo, len(g.shards)),
		Members:    make([]MemberInfo, len(g.sorted)),
	}
	snap.TTL, snap.Lease, snap.Expiry = g.cfg.TTL, g.change.lease(g.cfg.TTL), g.change.expiry(g.cfg.TTL)
	for i := range g.shards {
		s := &g.shards[i]
		info := ShardInfo{ID: s.id, State: s.state, Epoch: s.epoch, Complete: s.complete}
		if s.owner != nil {
			info.Owner = s.owner.name
		}
		if s.next != nil {
			info.Next = s.next.name
		}
		snap.Shards[i] = info
	}
	for i, m := range g.sorted {
		snap.Members[i] = MemberInfo{
			Name: m.name, Instance: m.instance, Weight: m.weight, Expires: m.expires,
			Held: m.held + m.outgoing, Incoming: m.incoming, Former: m.former,
		}
	}
	return snap
}

// Check returns an error if the group breaks one of its invariants. It is for tests: it visits every
// shard.
func (g *Group) Check() error {
	held, out, in := map[*member]int{}, map[*member]int{}, map[*member]int{}
	for i := range g.shards {
		s := &g.shards[i]
		if err := g.checkShard(s); err != nil {
			return err
		}
		switch s.state {
		case StateHeld:
			held[s.owner]++
		case StateTransfer:
			out[s.owner]++
			if s.next != nil {
				in[s.next]++
			}
		}
	}
	removed := map[*member]int{}
	for id, r := range g.removed {
		if r.holder != nil {
			removed[r.holder]++
		}
		if i, listed := g.index[id]; listed && (g.shards[i].state != StateClosed || r.holder == nil) {
			return fmt.Errorf("shard %s is listed and removed", id)
		}
	}
	if len(g.sorted) != len(g.members) {
		return fmt.Errorf("%d members are sorted, %d are known", len(g.sorted), len(g.members))
	}
	for i, m := range g.sorted {
		if i > 0 && g.sorted[i-1].name >= m.name {
			return fmt.Errorf("members %q and %q are out of order", g.sorted[i-1].name, m.name)
		}
		if m.held != held[m] || m.outgoing != out[m] || m.incoming != in[m] {
			return fmt.Errorf("member %q counts %d held, %d out, %d in; it has %d, %d, %d",
				m.name, m.held, m.outgoing, m.incoming, held[m], out[m], in[m])
		}
		if m.former && (m.weight != 0 || m.held != 0 || m.incoming != 0 || g.formerTTL == 0) {
			return fmt.Errorf("the former member %q has the weight %d, holds %d shards and is promised %d, with a TTL of %v",
				m.name, m.weight, m.held, m.incoming, g.formerTTL)
		}
		if m.removed != removed[m] {
			return fmt.Errorf("member %q counts %d removed shards and holds %d", m.name, m.removed, removed[m])
		}
		if len(g.owned(m)) != m.held+m.outgoing {
			return fmt.Errorf("member %q lists %d shards and owns %d", m.name, len(m.owned), m.held+m.outgoing)
		}
		if len(g.grants(m)) != m.held {
			return fmt.Errorf("the answer to %q has %d shards, and it holds %d", m.name, len(m.grants), m.held)
		}
		if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
			return fmt.Errorf("member %q expires at %v, and NextEvent is later", m.name, m.expires)
		}
	}
	if err := g.checkComplete(); err != nil {
		return err
	}
	return g.checkBalance()
}

// checkComplete verifies the counts of closed and complete shards.
func (g *Group) checkComplete() error {
	completeShards, owned := 0, map[*member]int{}
	for i := range g.shards {
		s := &g.shards[i]
		switch {
		case s.complete && s.owner == nil:
			return fmt.Errorf("shard %s is %s, and complete without an owner", s.id, s.state)
		case s.complete:
			owned[s.owner]++
			completeShards++
		case s.state == StateClosed:
			completeShards++
		}
	}
	for _, m := range g.sorted {
		if m.complete != owned[m] {
			return fmt.Errorf("member %q counts %d complete shards, and has %d", m.name, m.complete, owned[m])
		}
	}
	all := len(g.shards) > 0 && completeShards == len(g.shards)
	switch {
	case completeShards != g.completeShards:
		return fmt.Errorf("%d shards are closed or complete, and %d are counted", completeShards, g.completeShards)
	case g.complete != all && (g.complete || g.recoverUntil.IsZero()):
		return fmt.Errorf("the group is complete: %v, with %d of %d shards closed or complete", g.complete, completeShards, len(g.shards))
	}
	return nil
}

func (g *Group) checkShard(s *shard) error {
	owned := s.state == StateHeld || s.state == StateTransfer
	switch {
	case s.state < StateWait || s.state > StateClosed:
		return fmt.Errorf("shard %s has the state %s", s.id, s.state)
	case owned != (s.owner != nil):
		return fmt.Errorf("shard %s is %s, with an owner: %v", s.id, s.state, s.owner != nil)
	case owned && g.members[s.owner.name] != s.owner:
		return fmt.Errorf("shard %s is held by %q, which is no member", s.id, s.owner.name)
	case s.next != nil && s.state != StateTransfer:
		return fmt.Errorf("shard %s is %s and promised", s.id, s.state)
	case s.next != nil && g.members[s.next.name] != s.next:
		return fmt.Errorf("shard %s is promised to %q, which is no member", s.id, s.next.name)
	case s.next != nil && s.next == s.owner:
		return fmt.Errorf("shard %s moves from %q to itself", s.id, s.owner.name)
	case s.owner != nil && s.epoch == 0:
		return fmt.Errorf("shard %s is held under no epoch", s.id)
	case max(s.granted, s.revoked) > g.generation:
		return fmt.Errorf("shard %s was granted in %d and revoked in %d, after %d", s.id, s.granted, s.revoked, g.generation)
	}
	return nil
}

// checkBalance verifies that no shard is free while a member could hold it, and that every load is
// within one of the exact share. Quiet members may have fewer shards. Then the other members may have
// more.
func (g *Group) checkBalance() error {
	if !g.recoverUntil.IsZero() {
		return nil
	}
	n, weight := 0, 0
	for _, m := range g.sorted {
		weight += m.weight
	}
	for i := range g.shards {
		switch s := &g.shards[i]; s.state {
		case StateFree:
			if weight > 0 {
				return fmt.Errorf("shard %s is free although there are members", s.id)
			}
			n++
		case StateHeld, StateTransfer:
			n++
		}
	}
	if weight == 0 {
		return nil
	}
	short := slices.ContainsFunc(g.sorted, func(m *member) bool { return m.quiet && m.load()*weight < n*m.weight })
	for _, m := range g.sorted {
		if d := m.load()*weight - n*m.weight; d >= weight && (m.quiet || !short) || d <= -weight && !m.quiet {
			return fmt.Errorf("member %q has %d of %d shards, with %d of the weight %d", m.name, m.load(), n, m.weight, weight)
		}
	}
	return nil
}
