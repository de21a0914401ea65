package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// ErrRolledBack is the error of Adopt for a document that has a newer revision than the known one, but
// an older generation: the store has lost writes.
var ErrRolledBack = errors.New("the group's document went back: the store has lost writes")

// Replica is one process's view of a group in a store: the newest document and records that the process
// has seen. It determines what the process writes: the next document, and the tombstones of expired
// members. The package comment of heartbeat/replicated has the rules that make this safe, even if
// reads are late or writes are lost.
//
// A Replica is not safe for concurrent use.
type Replica struct {
	revision         uint64
	doc              *table // nil: there is no document, or its group was deleted
	deleted          bool
	newestGeneration uint64
	grants           [][]shardset.Grant
	members          map[string]docMember // the members of doc

	records   map[string]*seenRecord
	earlier   map[string]recordAge // of records that the Replica knew before BeginReload
	draft     *draft               // doc with the records applied; nil: Pending makes it
	unapplied map[string]bool      // records that are not applied to draft yet
	quiet     map[string]bool      // see SetQuiet
	seq       uint64               // of the last applied record; the Group needs rising sequence numbers
}

// docMember is a member of the document.
type docMember struct {
	instance uint64
	noRecord bool
	at       time.Time // when the Replica first saw it in the document; with noRecord, since when it has no record
}

// seenRecord is the newest version of a record that the Replica has seen.
type seenRecord struct {
	revision    uint64
	at          time.Time // when it came
	record      Record
	readable    bool
	unconfirmed bool // not observed since BeginReload
}

// recordAge is when the Replica received a version of a record.
type recordAge struct {
	revision uint64
	instance uint64
	at       time.Time
}

// NewReplica returns a Replica that has seen nothing.
func NewReplica() *Replica {
	return &Replica{
		members: map[string]docMember{}, records: map[string]*seenRecord{}, earlier: map[string]recordAge{}, unapplied: map[string]bool{},
	}
}

// Adopt takes a version of the document that the process has read at now. It ignores a revision that is
// not newer than Revision, because watches and reads may lag. If a newer revision has an older
// generation, Adopt changes nothing and returns an error that matches ErrRolledBack.
func (r *Replica) Adopt(now time.Time, revision uint64, v *Version) error {
	switch {
	case revision <= r.revision:
		return nil
	case v.doc.deleted:
		r.revision, r.doc, r.grants, r.draft = revision, nil, nil, nil
		r.deleted = true
		clear(r.members)
		return nil
	case v.doc.Generation < r.newestGeneration:
		return fmt.Errorf("%w: generation %d after %d", ErrRolledBack, v.doc.Generation, r.newestGeneration)
	}
	r.revision, r.doc, r.grants, r.deleted = revision, v.doc, v.grants, false
	r.newestGeneration, r.draft = v.doc.Generation, nil
	r.trackMembers(now)
	return nil
}

// AdoptWritten is Adopt for a document that Step returned and this process has written. The Replica
// keeps the group that it has prepared, so the next step applies only the records that came after Step.
// Between Step and AdoptWritten the caller must not call Pending, Step, Change or Delete.
func (r *Replica) AdoptWritten(now time.Time, revision uint64, v *Version) error {
	prepared := r.draft
	if err := r.Adopt(now, revision, v); err != nil || r.revision != revision {
		return err
	}
	if prepared != nil {
		prepared.written()
		r.draft = prepared
	}
	return nil
}

// Reset makes the Replica forget the document and all records. The process must pass all records to it
// again, as after BeginReload.
func (r *Replica) Reset() { *r = *NewReplica() }

// trackMembers notes which members are new in the document, and which are gone.
func (r *Replica) trackMembers(now time.Time) {
	known := make(map[string]docMember, len(r.doc.Instances))
	for i, instance := range r.doc.Instances {
		name := r.doc.Names[i]
		s, ok := r.members[name]
		if !ok || s.instance != instance {
			s = docMember{instance: instance, at: now}
		}
		known[name] = s
	}
	// An instance that is no longer in the document has ended. Its last record may still say that
	// it is alive, but must not let it join again.
	for name, s := range r.members {
		if rec := r.records[name]; known[name].instance != s.instance && rec != nil && rec.readable &&
			rec.record.Standing == StandingAlive && rec.record.Instance <= s.instance {
			r.forget(name)
		}
	}
	r.members = known
}

// Observe takes a version of a member's record that the process has received at now: nil if the record
// was deleted, and the zero Record if it cannot be decoded. Observe ignores versions that are older
// than the newest. If the Replica had the same version before BeginReload, the age of the record counts
// from when it first came. The caller must not change the Record afterwards.
func (r *Replica) Observe(now time.Time, member string, revision uint64, rec *Record) {
	if s := r.records[member]; s != nil && revision <= s.revision && revision != 0 {
		s.unconfirmed = false
		return
	}
	if m, ok := r.members[member]; ok && m.noRecord != (rec == nil) {
		m.noRecord = rec == nil
		if m.noRecord {
			m.at = now
		}
		r.members[member] = m
	}
	if rec == nil {
		r.forget(member)
		return
	}
	if r.quiet[member] {
		delete(r.quiet, member)
		r.draft = nil
	}
	s := &seenRecord{revision: revision, at: now, record: *rec, readable: rec.Standing != 0}
	r.records[member] = s
	if !s.readable {
		delete(r.unapplied, member)
		return
	}
	if p, ok := r.earlier[member]; ok && p.revision == revision && p.instance == rec.Instance {
		s.at = p.at
	}
	r.unapplied[member] = true
}

// BeginReload prepares for reading all records again. The process calls it before it reads them, and
// when it stops watching them. The known records may be outdated then: if a member has left and its
// record was deleted in the store, the known record would make the member join again. So the Replica
// forgets all records except two kinds: those that this process wrote, for which own returns true, and
// those that show that a member of the document has ended, because that cannot change.
func (r *Replica) BeginReload(own func(member string, revision uint64) bool) {
	for name := range r.earlier {
		if _, member := r.members[name]; !member {
			delete(r.earlier, name)
		}
	}
	for name, s := range r.records {
		s.unconfirmed = true
		if own(name, s.revision) || r.final(s) {
			continue
		}
		r.earlier[name] = recordAge{s.revision, s.record.Instance, s.at}
		r.forget(name)
	}
	r.quiet, r.draft = nil, nil
}

// final reports whether a record shows that a member of the document has ended.
func (r *Replica) final(s *seenRecord) bool {
	instance := r.members[s.record.Member].instance
	return s.readable && s.record.ended() && instance != 0 && instance <= s.record.Instance
}

// EndReload ends what BeginReload began, once the process has passed all records to Observe. The
// Replica forgets the records that it kept and that the store no longer has. For a member without a
// record, MissingRecords counts from now, unless an earlier EndReload or Observe already found no
// record; then it counts from that call.
func (r *Replica) EndReload(now time.Time) {
	clear(r.earlier)
	for name, s := range r.records {
		if s.unconfirmed {
			r.forget(name)
		}
	}
	for name, s := range r.members {
		missing := r.records[name] == nil
		if !missing || !s.noRecord {
			s.at, s.noRecord = now, missing
			r.members[name] = s
		}
	}
}

// DiscardStep makes the next step begin from the newest document again. The process calls it after a
// Change or Delete, because it may never write the result.
func (r *Replica) DiscardStep() { r.draft = nil }

// Pending reports whether the records require a change of the document.
func (r *Replica) Pending() (bool, error) {
	if r.doc == nil {
		return false, nil
	}
	if err := r.Writable(); err != nil {
		return false, err
	}
	if r.draft == nil {
		d, err := newDraft(r.doc)
		if err != nil {
			return false, err
		}
		d.group.SetQuiet(r.quiet) // a change of quiet begins another draft
		r.draft = d
		for name, s := range r.records {
			if s.readable {
				r.unapplied[name] = true
			}
		}
	}
	r.applyRecords()
	return r.draft.changed(), nil
}

// Step returns the next document, with all records applied, or nil if nothing changes. The process must
// write it only if Revision is still the document's revision in the store.
func (r *Replica) Step() ([]byte, error) {
	return r.Change(func(*group.Group) error { return nil })
}

// Change is Step with a change by the caller. It applies the records, and then calls edit. If edit
// returns an error, Change returns it and discards the step.
func (r *Replica) Change(edit func(g *group.Group) error) ([]byte, error) {
	if _, err := r.Pending(); err != nil || r.doc == nil {
		return nil, err
	}
	if err := edit(r.draft.group); err != nil {
		r.draft = nil
		return nil, err
	}
	if !r.draft.changed() {
		return nil, nil
	}
	return r.draft.encode(r.doc, false), nil
}

// Delete returns the next document, with all records applied and the group deleted. The process writes
// it like a document of Step.
func (r *Replica) Delete() ([]byte, error) {
	if _, err := r.Pending(); err != nil || r.doc == nil {
		return nil, err
	}
	return r.draft.encode(r.doc, true), nil
}

func (r *Replica) applyRecords() {
	if len(r.unapplied) == 0 && r.draft.shared {
		return
	}
	r.draft.group.Batch(noTime, func() {
		for _, name := range slices.Sorted(maps.Keys(r.unapplied)) {
			r.seq++
			rec := &r.records[name].record
			r.draft.apply(rec, r.seq, rec.Born == r.doc.born)
		}
	})
	r.draft.shared = true
	r.draft.raiseFormat()
	clear(r.unapplied)
}

// SetQuiet sets which members have sent no heartbeat for half a TTL. In later steps these members receive
// no more shards while others can. A new record of a member removes it from the set.
func (r *Replica) SetQuiet(members []string) {
	quiet := make(map[string]bool, len(members))
	for _, name := range members {
		quiet[name] = true
	}
	if !maps.Equal(quiet, r.quiet) {
		r.quiet, r.draft = quiet, nil
	}
}

// grantsByMember returns the grants of each member, and how many shards each owns.
func (t *table) grantsByMember() (shares [][]shardset.Grant, owned []int) {
	n := make([]int, len(t.Instances))
	owned = make([]int, len(t.Instances))
	total := 0
	for i := range t.Shards {
		if t.Shards[i].Owned() {
			owned[t.Shards[i].Owner-1]++
		}
		if t.Shards[i].State == group.StateHeld {
			n[t.Shards[i].Owner-1]++
			total++
		}
	}
	all := make([]shardset.Grant, total)
	shares = make([][]shardset.Grant, len(n))
	for i, k := range n {
		shares[i], all = all[:0:k], all[k:]
	}
	for i := range t.Shards {
		if s := &t.Shards[i]; s.State == group.StateHeld {
			shares[s.Owner-1] = append(shares[s.Owner-1], shardset.Grant{ID: t.IDs[i], Epoch: s.Epoch})
		}
	}
	return shares, owned
}

// shard returns the index of a shard.
func (t *table) shard(id shardset.ID) (int, bool) {
	return slices.BinarySearchFunc(t.IDs, id, shardset.ID.Compare)
}

func (t *table) place(member string) (int, bool) {
	return slices.BinarySearch(t.Names[:len(t.Instances)], member)
}

// complete reports whether the group has shards, and all of them are closed or complete.
func (t *table) complete() bool {
	for i := range t.Shards {
		if s := &t.Shards[i]; !s.Complete && s.State != group.StateClosed {
			return false
		}
	}
	return len(t.Shards) > 0
}
