package group

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// State is a Group as plain values, as columns: what a store has to keep of it so that
// Restore makes it again. Leases are not part of it, nor is the sequence number of a
// member's newest heartbeat.
type State struct {
	Config
	Generation uint64
	Change     TTLChange
	FormerTTL  time.Duration // the TTL of the former members; zero: there are none

	// Names are the members, sorted; behind them come names that are no members any more,
	// to which free shards belonged.
	Names     []string
	Instances []uint64 // of the members, so its length is their number
	Weights   []int    // of the members
	Former    []bool   // of the members: see MemberInfo.Former

	IDs     []shardset.ID // sorted
	Shards  []ShardRow    // one for each of IDs
	Parents []Lineage     // of those shards that have parents in IDs, by Child
	Removed []RemovedRow  // shards that were taken out of the list, sorted by ID
}

// ShardRow is what a State says of one shard. Members are their places in State.Names
// plus one; zero: none.
type ShardRow struct {
	Epoch       uint64
	Granted     uint64 // generation of the grant; zero: the owner told the group of it
	Revoked     uint64 // generation of the revocation, in StateTransfer
	Owner, Next int32
	Last        int32 // of a shard that nobody owns: whose it was
	State       ShardState
	Complete    bool
}

// Owned reports whether the shard has an owner.
func (s *ShardRow) Owned() bool { return s.State == StateHeld || s.State == StateTransfer }

// Lineage lists the parents of one shard. Both are places in State.IDs.
type Lineage struct {
	Child   int
	Parents []int32
}

// RemovedRow is a shard that was taken out of the list.
type RemovedRow struct {
	ID             shardset.ID
	Epoch, Granted uint64
	Holder         int // its place in State.Names plus one; zero: nobody
	Closed         bool
}

// Lease is how long a heartbeat keeps a member's shards: the TTL, or the shorter one while
// it is being changed.
func (s *State) Lease() time.Duration { return s.Change.lease(s.TTL) }

// Expiry is how long a member, or a former one, may say nothing before it expires: the TTL,
// or the longer one while it is being changed, or that of a deleted group whose members may be
// at work.
func (s *State) Expiry() time.Duration { return max(s.Change.silence(s.TTL), s.FormerTTL) }

// State returns the group's state.
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

// Restore makes a Group of a State that State returned, or that is as consistent: it checks
// the TTL alone. Each member's lease begins at now. The group remembers no instances that
// are gone, neither now nor later: whoever keeps the State keeps these.
func Restore(now time.Time, s *State) (*Group, error) {
	g, err := New(s.Config)
	if err != nil {
		return nil, err
	}
	g.tombstones = nil
	g.generation, g.change, g.formerTTL = s.Generation, s.Change, s.FormerTTL
	names := make([]*member, len(s.Names))
	for i, name := range s.Names {
		names[i] = &member{name: name, stale: true}
		if i < len(s.Instances) {
			m := names[i]
			m.instance, m.weight, m.expires, m.former = s.Instances[i], s.Weights[i], now.Add(s.Expiry()), s.Former[i]
			g.members[name] = m
			g.sorted = append(g.sorted, m)
			g.nextExpiry = m.expires
		}
	}
	who := func(place int32) *member {
		if place == 0 {
			return nil
		}
		return names[place-1]
	}
	g.shards = make([]shard, len(s.Shards))
	for i, r := range s.Shards {
		to := shard{
			id: s.IDs[i], state: r.State, complete: r.Complete, epoch: r.Epoch,
			owner: who(r.Owner), next: who(r.Next), last: who(r.Last), granted: r.Granted, revoked: r.Revoked,
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
		h := who(int32(r.Holder))
		g.removed[r.ID] = removedShard{epoch: r.Epoch, granted: r.Granted, holder: h, closed: r.Closed}
		if h != nil {
			h.removed++
		}
	}
	g.recount()
	g.TakeChanged()
	g.complete = g.allShardsComplete()
	g.dirty = true // whoever wrote it has shared the shards out; if not, the first event does
	return g, nil
}

// Changes counts the changes of what State returns, since New or Restore.
func (g *Group) Changes() uint64 { return g.changes }

// Instance returns which instance of a name is a member, or a former one, and whether any is.
func (g *Group) Instance(member string) (instance uint64, ok bool) {
	m := g.members[member]
	if m == nil {
		return 0, false
	}
	return m.instance, true
}

// Len is how many members the group has, former ones included.
func (g *Group) Len() int { return len(g.sorted) }

// Members yields the names of the members, sorted, without former ones.
func (g *Group) Members(yield func(name string) bool) {
	for _, m := range g.sorted {
		if !m.former && !yield(m.name) {
			return
		}
	}
}

// SetQuiet names the members of which whoever keeps the group in a store has not heard for
// half a TTL: they get nothing more while others can. It counts from the next event on.
func (g *Group) SetQuiet(names map[string]bool) {
	for _, m := range g.sorted {
		m.quietInStore = names[m.name]
	}
}
