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
	Owner    string // who holds it; empty: nobody
	Next     string // who gets it when the owner has released it
	Epoch    uint64 // of the present owner, or of the last one
	Complete bool   // the owner has done it, and keeps it so that nobody repeats it
}

// MemberInfo is one member in a Snapshot.
type MemberInfo struct {
	Name     string
	Instance uint64
	Weight   int
	Expires  time.Time // when its lease ends unless it is renewed
	Held     int       // shards it owns, those on their way out included
	Incoming int       // shards promised to it
	// Former says that it is none: it was a member of a group of this name that was deleted,
	// and keeps what it may still work on until it is found to be over.
	Former bool
}

// Snapshot is the group's state at one moment, shards and members sorted. It
// shares nothing with the Group.
type Snapshot struct {
	Generation uint64
	// TTL is the group's. Lease is how long a heartbeat keeps a member's shards, and Expiry
	// how long a silent member is waited for. They differ from the TTL, and from each other,
	// only until every member has seen a change of it.
	TTL, Lease, Expiry time.Duration

	Complete bool // every shard is over or done, and there is one
	Shards   []ShardInfo
	Members  []MemberInfo
}

// Snapshot returns the present state. It does not look at the time: call Expire first.
func (g *Group) Snapshot() Snapshot {
	snap := Snapshot{
		Generation: g.generation,
		Complete:   g.complete,
		Shards:     make([]ShardInfo, len(g.shards)),
		Members:    make([]MemberInfo, len(g.sorted)),
	}
	snap.TTL, snap.Lease, snap.Expiry = g.cfg.TTL, g.change.lease(g.cfg.TTL), g.change.silence(g.cfg.TTL)
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
			Held: m.held + m.out, Incoming: m.in, Former: m.former,
		}
	}
	return snap
}

// Check verifies what must be true of a group between two events, and says what is
// not. Tests call it after every step; it costs a walk over all shards.
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
		if m.held != held[m] || m.out != out[m] || m.in != in[m] {
			return fmt.Errorf("member %q counts %d held, %d out, %d in; it has %d, %d, %d",
				m.name, m.held, m.out, m.in, held[m], out[m], in[m])
		}
		if m.former && (m.weight != 0 || m.held != 0 || m.in != 0 || g.formerTTL == 0) {
			return fmt.Errorf("the former member %q has the weight %d, holds %d shards and is promised %d, with a TTL of %v",
				m.name, m.weight, m.held, m.in, g.formerTTL)
		}
		if m.removed != removed[m] {
			return fmt.Errorf("member %q counts %d removed shards and holds %d", m.name, m.removed, removed[m])
		}
		if len(g.owned(m)) != m.held+m.out {
			return fmt.Errorf("member %q lists %d shards and owns %d", m.name, len(m.owned), m.held+m.out)
		}
		if len(g.grants(m)) != m.held {
			return fmt.Errorf("member %q is told of %d shards and holds %d", m.name, len(m.grants), m.held)
		}
		if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
			return fmt.Errorf("member %q expires at %v and nobody wakes for it", m.name, m.expires)
		}
	}
	if err := g.checkComplete(); err != nil {
		return err
	}
	return g.checkBalance()
}

// checkComplete verifies the counts of what is over or done, by counting.
func (g *Group) checkComplete() error {
	complete, done := 0, map[*member]int{}
	for i := range g.shards {
		s := &g.shards[i]
		switch {
		case s.complete && s.owner == nil:
			return fmt.Errorf("shard %s is %s, and done by nobody", s.id, s.state)
		case s.complete:
			done[s.owner]++
			complete++
		case s.state == StateClosed:
			complete++
		}
	}
	for _, m := range g.sorted {
		if m.complete != done[m] {
			return fmt.Errorf("member %q counts %d shards as done, and %d are", m.name, m.complete, done[m])
		}
	}
	all := len(g.shards) > 0 && complete == len(g.shards)
	switch {
	case complete != g.completeShards:
		return fmt.Errorf("%d shards are over or done, and %d are counted", complete, g.completeShards)
	case g.complete != all && (g.complete || g.recoverUntil.IsZero()):
		return fmt.Errorf("the group is finished: %v, with %d of %d shards over or done", g.complete, complete, len(g.shards))
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
		return fmt.Errorf("shard %s is held by %q, who is gone", s.id, s.owner.name)
	case s.next != nil && s.state != StateTransfer:
		return fmt.Errorf("shard %s is %s and promised", s.id, s.state)
	case s.next != nil && g.members[s.next.name] != s.next:
		return fmt.Errorf("shard %s is promised to %q, who is gone", s.id, s.next.name)
	case s.next != nil && s.next == s.owner:
		return fmt.Errorf("shard %s moves from %q to itself", s.id, s.owner.name)
	case s.owner != nil && s.epoch == 0:
		return fmt.Errorf("shard %s is held under no epoch", s.id)
	case max(s.granted, s.revoked) > g.generation:
		return fmt.Errorf("shard %s was granted in %d and revoked in %d, after %d", s.id, s.granted, s.revoked, g.generation)
	}
	return nil
}

// checkBalance verifies that no shard is idle while somebody could hold it, and that
// every load is within one of the exact share. Quiet members may have less, and the others
// what these have not.
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
