package state

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Revision returns the revision of the newest document, zero without one.
func (r *Replica) Revision() uint64 { return r.revision }

// Known reports whether the Replica has a document, and whether the group in it was deleted.
func (r *Replica) Known() (known, deleted bool) { return r.revision != 0, r.deleted }

// Born returns Document.Born of the newest document, zero without one.
func (r *Replica) Born() uint64 {
	if r.doc == nil {
		return 0
	}
	return r.doc.born
}

// Former reports whether an instance was a member of the deleted group before this one. Such a member
// must join as a new instance.
func (r *Replica) Former(member string, instance uint64) bool {
	if r.doc == nil {
		return false
	}
	i, ok := r.doc.place(member)
	return ok && r.doc.Former[i] && instance <= r.doc.Instances[i]
}

// Expiry returns group.State.Expiry of the newest document, zero without one.
func (r *Replica) Expiry() time.Duration {
	if r.doc == nil {
		return 0
	}
	return r.doc.State.Expiry()
}

// TTL returns how long a heartbeat keeps a member's shards: the group's TTL, or the shortest TTL in use
// while it changes. It returns zero without a document.
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

// VoidEpoch returns Document.VoidEpoch of the newest document, zero without one.
func (r *Replica) VoidEpoch() uint64 {
	if r.doc == nil {
		return 0
	}
	return r.doc.void
}

// Shards returns the sorted IDs of the shards. The caller must not change them.
func (r *Replica) Shards() []shardset.ID {
	if r.doc == nil {
		return nil
	}
	return r.doc.IDs
}

// Instance returns the instance of a member in the newest document, zero if it is not a member.
func (r *Replica) Instance(member string) uint64 { return r.members[member].instance }

// Answer returns the answer to a heartbeat of an instance, from the newest document. It grants nothing
// if the instance is not a member.
func (r *Replica) Answer(member string, instance uint64) shardset.Answer {
	if r.doc == nil {
		return shardset.Answer{}
	}
	a := shardset.Answer{TTL: r.TTL(), Generation: r.doc.Generation}
	i, ok := r.doc.place(member)
	if ok && r.doc.Instances[i] == instance {
		a.Grants, a.Complete = r.grants[i], r.doc.complete()
	}
	return a
}

// Owner returns the owner of a shard in the newest document, also while the shard is in transfer. It
// returns false if there is none, or if the owner is a former member.
func (r *Replica) Owner(id shardset.ID) (tok group.Token, ok bool) {
	if r.doc == nil {
		return group.Token{}, false
	}
	i, found := r.doc.shard(id)
	if !found || !r.doc.Shards[i].Owned() {
		return group.Token{}, false
	}
	s := &r.doc.Shards[i]
	if r.doc.Former[s.Owner-1] {
		return group.Token{}, false
	}
	return group.Token{Member: r.doc.Names[s.Owner-1], Instance: r.doc.Instances[s.Owner-1], ID: id, Epoch: s.Epoch}, true
}

// Applied reports whether the newest document already contains everything that a record reports, except
// its generation. The generation matters only while the TTL changes, and during that time Applied
// returns false.
func (r *Replica) Applied(rec *Record) bool {
	if r.doc == nil || rec.Standing != StandingAlive || len(rec.Closed) > 0 || rec.Leaving || r.doc.Change.Since != 0 {
		return false
	}
	i, ok := r.doc.place(rec.Member)
	if !ok || r.doc.Instances[i] != rec.Instance || r.doc.Weights[i] != max(rec.Weight, 1) || r.doc.owned[i] != len(rec.Held) {
		return false
	}
	held, complete := sortedGrants(rec.Held), sortedIDs(rec.Complete)
	if len(held) != len(rec.Held) {
		return false // it lists a shard twice, so it does not list all
	}
	for _, g := range held { // they are as many as the member owns: if it owns each, there is no other
		k, ok := r.doc.shard(g.ID)
		if !ok || !r.doc.Shards[k].Owned() || r.doc.Shards[k].Owner != int32(i+1) {
			return false
		}
		if _, reported := slices.BinarySearchFunc(complete, g.ID, shardset.ID.Compare); reported != r.doc.Shards[k].Complete {
			return false
		}
	}
	return true
}

// Rank sorts the members of the document by name, without former ones, and returns the position of the
// first for which mine returns true. The first member has position zero. If mine returns false for all,
// Rank returns the number of members.
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

// Members returns the number of members in the document, without former ones.
func (r *Replica) Members() int {
	if r.doc == nil {
		return 0
	}
	return r.doc.members
}

// NextMembers returns, for each member for which mine returns true, the member that follows it by name.
// The first member follows the last. The result may contain members of this process itself, because one
// of them may have stopped while the others work.
func (r *Replica) NextMembers(mine func(member string, instance uint64) bool) []string {
	if r.doc == nil || len(r.doc.Instances) < 2 {
		return nil
	}
	var next []string
	for i, instance := range r.doc.Instances {
		if !r.doc.Former[i] && mine(r.doc.Names[i], instance) {
			next = append(next, r.doc.Names[(i+1)%len(r.doc.Instances)])
		}
	}
	return next
}

// Snapshot returns the group in the newest document.
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

// Released returns the shards that an instance releases by a record with these held shards and this
// generation. In the newest document the instance owns them until a step applies the record, but it
// must not start them again under the same epochs.
func (r *Replica) Released(member string, instance uint64, held []shardset.Grant, generation uint64) []shardset.Grant {
	if r.doc == nil {
		return nil
	}
	i, ok := r.doc.place(member)
	if !ok || r.doc.Instances[i] != instance || slices.Equal(held, r.grants[i]) && len(held) == r.doc.owned[i] {
		return nil
	}
	held = sortedGrants(held)
	var released []shardset.Grant
	for k := range r.doc.Shards {
		s := &r.doc.Shards[k]
		if s.Owned() && s.Owner == int32(i+1) && generation >= s.Granted && !has(held, r.doc.IDs[k]) {
			released = append(released, shardset.Grant{ID: r.doc.IDs[k], Epoch: s.Epoch})
		}
	}
	return released
}
