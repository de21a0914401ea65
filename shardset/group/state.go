package group

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// State is a Group as plain values, in columns. It is what a store must keep so that Restore can make
// the Group again. It has no leases and no sequence numbers of heartbeats.
type State struct {
	Config
	Generation uint64
	Change     TTLChange
	FormerTTL  time.Duration // how long former members may work; zero: there are none

	// Names lists the members, sorted. After them, it lists the last owners of free shards, if they are
	// no longer members.
	Names     []string
	Instances []uint64 // of the members only
	Weights   []int    // of the members
	Former    []bool   // of the members: see MemberInfo.Former

	IDs     []shardset.ID // sorted
	Shards  []ShardRow    // one for each of IDs
	Parents []Lineage     // of the shards that have parents in IDs, sorted by Child
	Removed []RemovedRow  // sorted by ID
}

// ShardRow is one shard of a State. Owner, Next and Last are indexes into State.Names plus one; zero
// is none.
type ShardRow struct {
	Epoch       uint64
	Granted     uint64 // generation of the grant; zero: adopted while the group recovered
	Revoked     uint64 // generation of the revocation, in StateTransfer
	Owner, Next int32
	Last        int32 // the last owner of a shard that has no owner
	State       ShardState
	Complete    bool
}

// Owned reports whether the shard has an owner.
func (s *ShardRow) Owned() bool { return s.State == StateHeld || s.State == StateTransfer }

// Lineage is the parents of one shard, as indexes into State.IDs.
type Lineage struct {
	Child   int
	Parents []int32
}

// RemovedRow is a shard that has left the list, or that Close closed while it had an owner.
type RemovedRow struct {
	ID             shardset.ID
	Epoch, Granted uint64
	Holder         int // as in ShardRow
	Closed         bool
}

// Expiry returns how long after its last heartbeat a member has certainly expired, also a former one.
// It is the TTL, or during a change of the TTL the longest one in use, but at least FormerTTL.
func (s *State) Expiry() time.Duration { return max(s.Change.expiry(s.TTL), s.FormerTTL) }

// State returns the group as plain values. The caller must not change the Parents in it.
func (g *Group) State() *State {
	s := &State{
		Config: g.cfg, Change: g.change, Generation: g.generation,
		IDs: make([]shardset.ID, len(g.shards)), Shards: make([]ShardRow, len(g.shards)),
	}
	if g.hasFormer() {
		s.FormerTTL = g.formerTTL
	}
	place := make(map[string]int32, len(g.sorted))
	for _, m := range g.sorted {
		s.Names = append(s.Names, m.name)
		s.Instances = append(s.Instances, m.instance)
		s.Weights = append(s.Weights, m.weight)
		s.Former = append(s.Former, m.former)
		place[m.name] = int32(len(s.Names))
	}
	for i := range g.shards {
		from := &g.shards[i]
		s.IDs[i] = from.id
		r := ShardRow{State: from.state, Complete: from.complete, Epoch: from.epoch}
		switch {
		case r.Owned():
			r.Owner, r.Granted = place[from.owner.name], from.granted
			if from.state == StateTransfer {
				r.Revoked = from.revoked
				if from.next != nil {
					r.Next = place[from.next.name]
				}
			}
		case from.last != nil && from.state != StateClosed:
			r.Last = place[from.last.name]
			if r.Last == 0 {
				s.Names = append(s.Names, from.last.name)
				r.Last = int32(len(s.Names))
				place[from.last.name] = r.Last
			}
		}
		s.Shards[i] = r
		if len(from.parents) > 0 {
			s.Parents = append(s.Parents, Lineage{Child: i, Parents: from.parents})
		}
	}
	for id, r := range g.removed {
		row := RemovedRow{ID: id, Epoch: r.epoch, Granted: r.granted, Closed: r.closed}
		if r.holder != nil {
			row.Holder = int(place[r.holder.name])
		}
		s.Removed = append(s.Removed, row)
	}
	slices.SortFunc(s.Removed, func(a, b RemovedRow) int { return a.ID.Compare(b.ID) })
	return s
}

// Restore makes a Group of a State. It checks only the TTL: the caller must pass a consistent State,
// such as one from Group.State. The lease of each member begins at now. The group keeps no tombstones,
// because the store keeps them.
func Restore(now time.Time, s *State) (*Group, error) {
	g, err := New(s.Config)
	if err != nil {
		return nil, err
	}
	g.tombstones = nil
	g.generation, g.change, g.formerTTL = s.Generation, s.Change, s.FormerTTL
	names := make([]*member, len(s.Names))
	for i, name := range s.Names {
		names[i] = &member{name: name, grantsStale: true}
		if i < len(s.Instances) {
			m := names[i]
			m.instance, m.weight, m.expires, m.former = s.Instances[i], s.Weights[i], now.Add(s.Expiry()), s.Former[i]
			g.members[name] = m
			g.sorted = append(g.sorted, m)
			g.nextExpiry = m.expires
		}
	}
	memberAt := func(place int32) *member {
		if place == 0 {
			return nil
		}
		return names[place-1]
	}
	g.shards = make([]shard, len(s.Shards))
	for i, r := range s.Shards {
		to := shard{
			id: s.IDs[i], state: r.State, complete: r.Complete, epoch: r.Epoch,
			owner: memberAt(r.Owner), next: memberAt(r.Next), last: memberAt(r.Last), granted: r.Granted, revoked: r.Revoked,
		}
		if to.owner != nil {
			to.last = to.owner
		}
		g.shards[i] = to
		g.index[to.id] = int32(i)
	}
	for _, l := range s.Parents {
		g.shards[l.Child].parents = l.Parents
	}
	for _, r := range s.Removed {
		h := memberAt(int32(r.Holder))
		g.removed[r.ID] = removedShard{epoch: r.Epoch, granted: r.Granted, holder: h, closed: r.Closed}
		if h != nil {
			h.removed++
		}
	}
	g.recount()
	g.TakeChanged()
	g.complete = g.allShardsComplete()
	g.dirty = true // rebalance changes nothing if all shards are shared out
	return g, nil
}

// Changes returns how often the State has changed since New or Restore.
func (g *Group) Changes() uint64 { return g.changes }

// Instance returns the instance of a member, or of a former one, and whether there is one.
func (g *Group) Instance(member string) (instance uint64, ok bool) {
	m := g.members[member]
	if m == nil {
		return 0, false
	}
	return m.instance, true
}

// Len returns the number of members, former ones included.
func (g *Group) Len() int { return len(g.sorted) }

// Members yields the names of the members, sorted, without former ones.
func (g *Group) Members(yield func(name string) bool) {
	for _, m := range g.sorted {
		if !m.former && !yield(m.name) {
			return
		}
	}
}

// SetQuiet sets which members have sent no heartbeat for half a TTL. It is for a group in a store,
// which has no leases. From the next event on, these members receive no more shards while others
// can take them.
func (g *Group) SetQuiet(names map[string]bool) {
	for _, m := range g.sorted {
		m.quietInStore = names[m.name]
	}
}
