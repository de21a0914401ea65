package state

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Revision returns that of the newest document, zero if there is none.
func (r *Replica) Revision() uint64 { return r.revision }

// Known reports whether there is a document, and whether it is a deleted group's.
func (r *Replica) Known() (known, deleted bool) { return r.revision != 0, r.deleted }

// Born is that of the newest document; zero without one.
func (r *Replica) Born() uint64 {
	if r.doc == nil {
		return 0
	}
	return r.doc.born
}

// Former reports whether an instance is a former member, or one before it: it was a member
// of a group that was deleted, and has to start over as a later instance.
func (r *Replica) Former(member string, instance uint64) bool {
	if r.doc == nil {
		return false
	}
	i, ok := r.doc.place(member)
	return ok && r.doc.Former[i] && instance <= r.doc.Instances[i]
}

// Expiry is how long after its last heartbeat a member expires: the TTL, or the longer one
// while it is being changed, or that of a deleted group while its members may be at work.
func (r *Replica) Expiry() time.Duration {
	if r.doc == nil {
		return 0
	}
	return r.doc.State.Expiry()
}

// TTL is how long a heartbeat keeps a member's shards, by the document: while the TTL is
// being changed, the shorter one. Zero without a document.
func (r *Replica) TTL() time.Duration {
	if r.doc == nil {
		return 0
	}
	if c := r.doc.Change; c.Since != 0 {
		return c.Shortest
	}
	return r.doc.State.TTL
}

// Ordered reports whether the group is ordered.
func (r *Replica) Ordered() bool { return r.doc != nil && r.doc.Ordered }

// Void is the highest epoch of the groups of this name that were deleted.
func (r *Replica) Void() uint64 {
	if r.doc == nil {
		return 0
	}
	return r.doc.void
}

// Shards returns the IDs of the group's shards, sorted. They are not to be changed.
func (r *Replica) Shards() []shardset.ID {
	if r.doc == nil {
		return nil
	}
	return r.doc.IDs
}

// Instance returns which instance of a name is a member, zero if none is.
func (r *Replica) Instance(member string) uint64 { return r.since[member].instance }

// Answer returns what an instance may hold according to the newest document. One that
// is not in it, or not yet, may hold nothing.
func (r *Replica) Answer(member string, instance uint64) shardset.Answer {
	if r.doc == nil {
		return shardset.Answer{}
	}
	a := shardset.Answer{TTL: r.TTL(), Generation: r.doc.Generation}
	i, ok := r.doc.place(member)
	if ok && r.doc.Instances[i] == instance {
		a.Grants, a.Complete = r.grants[i], r.doc.finished()
	}
	return a
}

// Owner returns who owns a shard according to the newest document, in transfer or not. A
// former member owns none.
func (r *Replica) Owner(id shardset.ID) (tok group.Token, ok bool) {
	if r.doc == nil {
		return group.Token{}, false
	}
	i, found := slices.BinarySearchFunc(r.doc.IDs, id, shardset.ID.Compare)
	if !found || !r.doc.Shards[i].Owned() {
		return group.Token{}, false
	}
	s := &r.doc.Shards[i]
	if r.doc.Former[s.Owner-1] {
		return group.Token{}, false
	}
	return group.Token{Member: r.doc.Names[s.Owner-1], Instance: r.doc.Instances[s.Owner-1], ID: id, Epoch: s.Epoch}, true
}

// Taken reports whether the newest document has taken in all that a record says, so that
// only the generation in it can be news. Nobody has a use for that, except while the TTL is
// being changed.
func (r *Replica) Taken(rec *Record) bool {
	if r.doc == nil || rec.Standing != StandingAlive || len(rec.Closed) > 0 || rec.Leaving || r.doc.Change.Since != 0 {
		return false
	}
	i, ok := r.doc.place(rec.Member)
	if !ok || r.doc.Instances[i] != rec.Instance || r.doc.Weights[i] != max(rec.Weight, 1) || r.doc.owned[i] != len(rec.Held) {
		return false
	}
	held, done := sortedGrants(rec.Held), sortedIDs(rec.Complete)
	for k := range r.doc.Shards {
		s := &r.doc.Shards[k]
		if s.Owner != int32(i+1) || !s.Owned() {
			continue
		}
		_, said := slices.BinarySearchFunc(done, r.doc.IDs[k], shardset.ID.Compare)
		if !has(held, r.doc.IDs[k]) || said != s.Complete {
			return false
		}
	}
	return true
}

// Rank returns the place among the document's members of the first one for whom mine is
// true: whose turn it is to step. Who has no member there comes last. Former members have
// no turn.
func (r *Replica) Rank(mine func(member string, instance uint64) bool) int {
	if r.doc == nil {
		return 0
	}
	rank := 0
	for i, instance := range r.doc.Instances {
		switch {
		case r.doc.Former[i]:
		case mine(r.doc.Names[i], instance):
			return rank
		default:
			rank++
		}
	}
	return rank
}

// Members is how many members the document has, without former ones.
func (r *Replica) Members() int {
	if r.doc == nil {
		return 0
	}
	n := 0
	for _, former := range r.doc.Former {
		if !former {
			n++
		}
	}
	return n
}

// Behind returns, for each member for whom mine is true, the next one by name, in a ring:
// another one of its own, too, that may have fallen silent alone.
func (r *Replica) Behind(mine func(member string, instance uint64) bool) []string {
	if r.doc == nil || len(r.doc.Instances) < 2 {
		return nil
	}
	var behind []string
	for i, instance := range r.doc.Instances {
		if !r.doc.Former[i] && mine(r.doc.Names[i], instance) {
			behind = append(behind, r.doc.Names[(i+1)%len(r.doc.Instances)])
		}
	}
	return behind
}

// Snapshot returns the group as the newest document has it.
func (r *Replica) Snapshot() (group.Snapshot, error) {
	if r.doc == nil {
		return group.Snapshot{}, nil
	}
	g, err := r.doc.group()
	if err != nil {
		return group.Snapshot{}, err
	}
	return g.Snapshot(), nil
}

// Released returns what an instance gives up, by the newest document, once its record
// says that it holds these shards and has seen that generation: the step that sees the
// record will take them from it, so it must not take them up again under the same epoch
// although the document still says that they are its own.
func (r *Replica) Released(member string, instance uint64, held []shardset.Grant, generation uint64) []shardset.Grant {
	if r.doc == nil {
		return nil
	}
	i, ok := r.doc.place(member)
	if !ok || r.doc.Instances[i] != instance || slices.Equal(held, r.grants[i]) && len(held) == r.doc.owned[i] {
		return nil
	}
	held = sortedGrants(held)
	var gone []shardset.Grant
	for k := range r.doc.Shards {
		s := &r.doc.Shards[k]
		if s.Owned() && s.Owner == int32(i+1) && generation >= s.Granted && !has(held, r.doc.IDs[k]) {
			gone = append(gone, shardset.Grant{ID: r.doc.IDs[k], Epoch: s.Epoch})
		}
	}
	return gone
}
