package group

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// ErrRolledBack is what Adopt returns for a document that is from before one that was
// seen: the store has lost writes.
var ErrRolledBack = errors.New("the group's document went back: the store has lost writes")

// Replica is a group as one process sees it that keeps it, together with others, in a
// store of documents and records. It holds the newest document and the newest records
// that it was shown, and says what to write: a step of the document, a verdict on a
// silent member. The rules that make this safe, whatever is late or lost, are in the
// package comment of heartbeat/replicated.
//
// A Replica belongs to one goroutine, or to whoever holds the lock around it.
type Replica struct {
	revision uint64
	data     []byte
	doc      *table // nil: there is no document, or it is a deleted group's
	deleted  bool
	epoch    uint64 // of a deleted group
	newest   uint64 // generation; a document of a lower one has lost writes
	grants   [][]shardset.Grant
	since    map[string]sighting // when each member of the document was first seen there

	records map[string]*sighting
	work    *Group          // the document with records applied; nil: to be made
	fresh   map[string]bool // records that work does not know yet
	applied uint64          // numbers what is applied, because records have no number
}

// sighting is a version, and when it came.
type sighting struct {
	revision uint64
	at       time.Time
	record   Record
	readable bool
	instance uint64 // in since: of the member
}

// NewReplica returns a Replica that was shown nothing.
func NewReplica() *Replica {
	return &Replica{since: map[string]sighting{}, records: map[string]*sighting{}, fresh: map[string]bool{}}
}

// Adopt shows the Replica a version of the document, at now. One that is older than the
// newest is ignored: watches lag, and reads may be stale. An error says that this one
// cannot be used, and changes nothing: ErrRolledBack is matched if it is newer by its
// revision and older by what it says.
func (r *Replica) Adopt(now time.Time, revision uint64, data []byte) error {
	if revision <= r.revision {
		return nil
	}
	if deleted(data) {
		d, err := decodeDeleted(data)
		if err != nil {
			return err
		}
		r.revision, r.data, r.doc, r.grants, r.work = revision, nil, nil, nil, nil
		r.deleted, r.epoch = true, d.Epoch
		clear(r.since)
		return nil
	}
	t, err := parse(data)
	if err != nil {
		return err
	}
	if t.generation < r.newest {
		return fmt.Errorf("%w: generation %d after %d", ErrRolledBack, t.generation, r.newest)
	}
	r.revision, r.data, r.doc, r.deleted = revision, data, t, false
	r.newest, r.work = t.generation, nil
	r.grants, t.owned = t.shares()
	r.meet(now)
	return nil
}

// Stepped tells the Replica that what Step returned is the document's version now. It
// is Adopt, but what was prepared since goes on from there.
func (r *Replica) Stepped(now time.Time, revision uint64, data []byte) error {
	work := r.work
	if err := r.Adopt(now, revision, data); err != nil || r.revision != revision {
		return err
	}
	if work != nil {
		work.revised = false
		r.work = work
	}
	return nil
}

// Forget makes the Replica one that was shown no document. Records stay, and age.
func (r *Replica) Forget() {
	*r = Replica{since: map[string]sighting{}, records: r.records, fresh: r.fresh}
}

// meet notes which members are new in the document, and forgets those that are gone.
func (r *Replica) meet(now time.Time) {
	known := make(map[string]sighting, len(r.doc.instances))
	for i, instance := range r.doc.instances {
		name := r.doc.names[i]
		s, ok := r.since[name]
		if !ok || s.instance != instance {
			s = sighting{instance: instance, at: now}
		}
		known[name] = s
	}
	r.since = known
}

// Observe shows the Replica a version of a member's record, received at now; data is
// nil if there is none any more. Older versions than the newest are ignored.
func (r *Replica) Observe(now time.Time, member string, revision uint64, data []byte) error {
	if s := r.records[member]; s != nil && revision <= s.revision && revision != 0 {
		return nil
	}
	if data == nil {
		delete(r.records, member)
		delete(r.fresh, member)
		return nil
	}
	s := &sighting{revision: revision, at: now}
	r.records[member] = s
	rec, err := DecodeRecord(member, data)
	if err != nil {
		return err
	}
	s.record, s.readable = rec, true
	r.fresh[member] = true
	return nil
}

// Restart makes the Replica one that is shown all records anew, from now on: what it
// knew of them may be outdated in a way that no later record tells, and what it has
// measured counts no more.
func (r *Replica) Restart(now time.Time) {
	clear(r.records)
	clear(r.fresh)
	r.work = nil
	for name, s := range r.since {
		s.at = now
		r.since[name] = s
	}
}

// Redo has the next step begun anew from the document: the last one was refused, or
// nobody knows.
func (r *Replica) Redo() { r.work = nil }

// Revision returns that of the newest document, zero if there is none.
func (r *Replica) Revision() uint64 { return r.revision }

// Known reports whether there is a document, and whether it is a deleted group's.
func (r *Replica) Known() (known, deleted bool) { return r.revision != 0, r.deleted }

// Epoch returns the highest epoch or generation that the newest document knows to have
// been given, by a group that was deleted, too.
func (r *Replica) Epoch() uint64 {
	if r.doc == nil {
		return r.epoch
	}
	highest := max(r.newest, r.doc.firstEpoch)
	for i := range r.doc.rows {
		highest = max(highest, r.doc.rows[i].epoch)
	}
	for i := range r.doc.retired {
		highest = max(highest, r.doc.retired[i].epoch)
	}
	return highest
}

// TTL, Ordered and Void are those of the document; zero without one.
func (r *Replica) TTL() time.Duration {
	if r.doc == nil {
		return 0
	}
	return r.doc.ttl
}

// Ordered reports whether the group is ordered.
func (r *Replica) Ordered() bool { return r.doc != nil && r.doc.ordered }

// Void is the highest epoch of the groups of this name that were deleted.
func (r *Replica) Void() uint64 {
	if r.doc == nil {
		return 0
	}
	return r.doc.void
}

// Instance returns which instance of a name is a member, zero if none is.
func (r *Replica) Instance(member string) uint64 { return r.since[member].instance }

// Answer returns what an instance may hold according to the newest document. One that
// is not in it, or not yet, may hold nothing.
func (r *Replica) Answer(member string, instance uint64) shardset.Answer {
	if r.doc == nil {
		return shardset.Answer{}
	}
	a := shardset.Answer{TTL: r.doc.ttl, Generation: r.doc.generation}
	i, ok := r.doc.place(member)
	if ok && r.doc.instances[i] == instance {
		a.Grants, a.Finished = r.grants[i], r.doc.finished()
	}
	return a
}

// Owner returns who owns a shard according to the newest document, in transfer or not.
func (r *Replica) Owner(id shardset.ID) (tok Token, ok bool) {
	if r.doc == nil {
		return Token{}, false
	}
	i, found := slices.BinarySearchFunc(r.doc.ids, id, shardset.ID.Compare)
	if !found || !r.doc.rows[i].owned() {
		return Token{}, false
	}
	s := &r.doc.rows[i]
	return Token{Member: r.doc.names[s.owner-1], Instance: r.doc.instances[s.owner-1], ID: id, Epoch: s.epoch}, true
}

// Taken reports whether the newest document has taken in all that a record says, so that
// only the generation in it can be news, of which nobody has a use then.
func (r *Replica) Taken(rec *Record) bool {
	if r.doc == nil || rec.Standing != StandingAlive || len(rec.Ended) > 0 || rec.Leaving {
		return false
	}
	i, ok := r.doc.place(rec.Member)
	if !ok || r.doc.instances[i] != rec.Instance || r.doc.weights[i] != max(rec.Weight, 1) || r.doc.owned[i] != len(rec.Held) {
		return false
	}
	held, done := heldIDs(rec.Held), doneIDs(rec.Done)
	for k := range r.doc.rows {
		s := &r.doc.rows[k]
		if s.owner != int32(i+1) || !s.owned() {
			continue
		}
		_, said := slices.BinarySearchFunc(done, r.doc.ids[k], shardset.ID.Compare)
		if !has(held, r.doc.ids[k]) || said != s.done {
			return false
		}
	}
	return true
}

// Rank returns the place among the document's members of the first one for whom mine is
// true: whose turn it is to step. Who has no member there comes last.
func (r *Replica) Rank(mine func(member string, instance uint64) bool) int {
	if r.doc == nil {
		return 0
	}
	for i, instance := range r.doc.instances {
		if mine(r.doc.names[i], instance) {
			return i
		}
	}
	return len(r.doc.instances)
}

// Members is how many members the document has.
func (r *Replica) Members() int {
	if r.doc == nil {
		return 0
	}
	return len(r.doc.instances)
}

// First returns the names of the first n members: those whose turn comes first.
func (r *Replica) First(n int) []string {
	if r.doc == nil {
		return nil
	}
	return r.doc.names[:min(n, len(r.doc.instances))]
}

// Snapshot returns the group as the newest document has it.
func (r *Replica) Snapshot() (Snapshot, error) {
	if r.doc == nil {
		return Snapshot{}, nil
	}
	g, err := r.doc.group()
	if err != nil {
		return Snapshot{}, err
	}
	return g.Snapshot(), nil
}

// Pending reports whether the records that the Replica was shown ask for a change of
// the document.
func (r *Replica) Pending() (bool, error) {
	if r.doc == nil {
		return false, nil
	}
	if r.work == nil {
		g, err := r.doc.group()
		if err != nil {
			return false, err
		}
		r.work = g
		for name, s := range r.records {
			if s.readable {
				r.fresh[name] = true
			}
		}
	}
	r.applyFresh()
	return r.work.revised, nil
}

// Step returns the document as it should be, or nil if it is as it should be. It is to
// be written over Revision, and nothing else.
func (r *Replica) Step() ([]byte, error) {
	return r.Change(func(*Group) error { return nil })
}

// Change is Step with a change of one's own: edit is called with the group after the
// records were applied. If it returns an error, nothing is changed.
func (r *Replica) Change(edit func(g *Group) error) ([]byte, error) {
	if _, err := r.Pending(); err != nil || r.doc == nil {
		return nil, err
	}
	if err := edit(r.work); err != nil {
		r.work = nil
		return nil, err
	}
	if !r.work.revised {
		return nil, nil
	}
	d := Document{Group: r.work, Void: r.doc.void}
	return d.Encode(), nil
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
	if !ok || r.doc.instances[i] != instance || slices.Equal(held, r.grants[i]) && len(held) == r.doc.owned[i] {
		return nil
	}
	held = heldIDs(held)
	var gone []shardset.Grant
	for k := range r.doc.rows {
		s := &r.doc.rows[k]
		if s.owned() && s.owner == int32(i+1) && generation >= s.granted && !has(held, r.doc.ids[k]) {
			gone = append(gone, shardset.Grant{ID: r.doc.ids[k], Epoch: s.epoch})
		}
	}
	return gone
}

func (r *Replica) applyFresh() {
	if len(r.fresh) == 0 {
		return
	}
	r.work.Batch(still, func() {
		for _, name := range slices.Sorted(maps.Keys(r.fresh)) {
			r.applied++
			r.work.apply(&r.records[name].record, r.applied)
		}
	})
	clear(r.fresh)
}

// apply has a record say to the group what it says. To say it again changes nothing:
// what a member gives up is judged by the generation that it had seen. A member that
// the group does not know and that lists shards is refused, as any other service would.
func (g *Group) apply(rec *Record, seq uint64) {
	b := rec.Beat
	b.Seq = seq
	switch rec.Standing {
	case StandingDead:
		// A later instance that was never a member has died: so has the earlier one,
		// over whose word it spoke.
		if m := g.members[rec.Member]; m != nil && m.instance <= rec.Instance {
			g.Evict(still, m.name, m.instance)
		}
	case StandingLeft:
		_ = g.Leave(still, b) // of an earlier instance: it has nothing to leave
	default:
		_, _ = g.Beat(still, b) // refused: it is told so when it asks
	}
}

// shares returns the grants of each member, and how many shards each owns.
func (t *table) shares() (shares [][]shardset.Grant, owned []int) {
	n := make([]int, len(t.instances))
	owned = make([]int, len(t.instances))
	total := 0
	for i := range t.rows {
		if t.rows[i].owned() {
			owned[t.rows[i].owner-1]++
		}
		if t.rows[i].state == StateHeld {
			n[t.rows[i].owner-1]++
			total++
		}
	}
	all := make([]shardset.Grant, total)
	shares = make([][]shardset.Grant, len(n))
	for i, k := range n {
		shares[i], all = all[:0:k], all[k:]
	}
	for i := range t.rows {
		if s := &t.rows[i]; s.state == StateHeld {
			shares[s.owner-1] = append(shares[s.owner-1], shardset.Grant{ID: t.ids[i], Epoch: s.epoch})
		}
	}
	return shares, owned
}

func (t *table) place(member string) (int, bool) {
	return slices.BinarySearch(t.names[:len(t.instances)], member)
}

// finished reports whether every shard is over, or done at its owner.
func (t *table) finished() bool {
	for i := range t.rows {
		if s := &t.rows[i]; !s.done && s.state != StateOver {
			return false
		}
	}
	return len(t.rows) > 0
}
