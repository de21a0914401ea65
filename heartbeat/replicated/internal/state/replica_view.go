package state

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Revision returns the revision of the newest document, zero without one.
func (r *Replica) Revision() uint64 { return r.revision }

// Known reports whether there is a document, and whether its group was deleted.
func (r *Replica) Known() (known, deleted bool) { return r.revision != 0, r.deleted }

// Born returns Document.Born of the newest document, zero without one.
func (r *Replica) Born() uint64 {
	if r.doc == nil {
		return 0
	}
	return r.doc.born
}

// Former reports whether an instance was a member of the deleted group before this one. It must join as
// a new instance.
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

// TTL returns how long a heartbeat keeps a member's shards: the TTL, during a change the shorter one.
// Zero without a document.
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

// VoidEpoch returns the highest epoch of the deleted groups of this name.
func (r *Replica) VoidEpoch() uint64 {
	if r.doc == nil {
		return 0
	}
	return r.doc.void
}

// Shards returns the IDs of the shards, sorted. The caller must not change them.
func (r *Replica) Shards() []shardset.ID {
	if r.doc == nil {
		return nil
	}
	return r.doc.IDs
}

// Instance returns the instance of a member of the document, zero without one.
func (r *Replica) Instance(member string) uint64 { return r.members[member].instance }

// Answer returns what an instance may hold, by the newest document: nothing if it is not a member.
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

// Owner returns the owner of a shard, in transfer or not, by the newest document. A former member is
// none.
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

// Applied reports whether the newest document has all that a record says, except its generation. That
// matters only while the TTL changes; Applied returns false then.
func (r *Replica) Applied(rec *Record) bool {
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

// Rank returns the place of the first member for which mine is true, among the members of the document.
// Without one it is the number of members. Former members do not count.
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

// Members returns the number of members, without former ones.
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

// NextMembers returns, for each member for which mine is true, the next member by name; after the last comes
// the first. That may be another member for which mine is true: it may have stopped alone.
func (r *Replica) NextMembers(mine func(member string, instance uint64) bool) []string {
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

// Snapshot returns the group by the newest document.
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

// Released returns the shards that an instance releases with a record that reports these shards held and
// that generation seen, by the newest document. The document still has the instance as their owner, until
// a step applies the record. So the instance must not start them again under these epochs.
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
