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

// ErrRolledBack is the error of Adopt for a document that is older than one that it has seen: the store
// has lost writes.
var ErrRolledBack = errors.New("the group's document went back: the store has lost writes")

// Replica is a group as one of several processes that keep it in a store sees it. It has the newest
// document and records that the process has seen. It says what to write: the next document, and the
// tombstones of expired members. The package comment of heartbeat/replicated has the rules that make
// this safe, whatever is late or lost.
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
	earlier   map[string]recordAge // of records from before BeginReload
	draft     *draft               // doc with the records applied; nil: to be made anew
	unapplied map[string]bool      // records that are not applied to draft yet
	quiet     map[string]bool      // see SetQuiet
	seq       uint64               // counts applied records: their sequence numbers
}

// docMember is a member of the document.
type docMember struct {
	instance uint64
	noRecord bool
	at       time.Time // when it came into the document; or, with noRecord, since when it has no record
}

// seenRecord is the newest version of a record that the Replica has seen.
type seenRecord struct {
	revision    uint64
	at          time.Time // when it came
	record      Record
	readable    bool
	unconfirmed bool // not observed since BeginReload
}

// recordAge is when a version of a record came.
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

// Adopt takes a version of the document, read at now. It ignores one that is older than the newest,
// because watches and reads may lag. It refuses, with an error that matches ErrRolledBack, one of a
// newer revision but an older generation, and changes nothing then.
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

// AdoptWritten is Adopt for a document that this process has written, from Step. It keeps what the Replica
// has prepared since.
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

// Reset makes the Replica forget the document and all records. All records must be shown to it again,
// as after BeginReload.
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
	// A member that is gone from the document is over, whatever its last record says: that
	// record must not let it join again.
	for name, s := range r.members {
		if rec := r.records[name]; known[name].instance != s.instance && rec != nil && rec.readable &&
			rec.record.Standing == StandingAlive && rec.record.Instance <= s.instance {
			r.forget(name)
		}
	}
	r.members = known
}

// Observe takes a version of a member's record, received at now: nil if the record was deleted, and the
// zero Record if it cannot be read. It ignores versions older than the newest. A version that it knew
// before the last BeginReload keeps its age. The caller must not change the Record any more.
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

// BeginReload is called before all records are shown to the Replica, and when it is shown no more of them.
// Records that it knows of other processes may be outdated then: a record may have been deleted, and
// would bring back a member that is gone. The Replica keeps only records for which own is true, because
// this process wrote them, and those that say that a member is over, because that does not change. At
// EndReload it forgets those of them that the store no longer has.
func (r *Replica) BeginReload(own func(member string, revision uint64) bool) {
	for name := range r.earlier {
		if _, member := r.members[name]; !member { // it was not shown
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

// final reports whether a record says that a member of the document is over.
func (r *Replica) final(s *seenRecord) bool {
	instance := r.members[s.record.Member].instance
	return s.readable && s.record.ended() && instance != 0 && instance <= s.record.Instance
}

// EndReload is called when all records have been shown, after BeginReload. A member without a record is
// missing one from now on, or from an earlier EndReload at which it had none either.
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

// DiscardStep makes the Replica prepare the next step anew: the last one was refused, or its outcome is
// unknown.
func (r *Replica) DiscardStep() { r.draft = nil }

// Pending reports whether the records ask for a change of the document.
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

// Step returns the document to write over Revision, and over no other; nil if nothing changes.
func (r *Replica) Step() ([]byte, error) {
	return r.Change(func(*group.Group) error { return nil })
}

// Change is Step with a change by the caller: it calls edit with the group, after it has applied the
// records. An error of edit changes nothing.
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

// Delete is Change to a deleted group.
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
	r.draft.group.SetQuiet(r.quiet)
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

// SetQuiet sets the members that have sent no heartbeat for half a TTL. The steps that the Replica prepares
// give them nothing more. A new record ends this for its member.
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

func (t *table) place(member string) (int, bool) {
	return slices.BinarySearch(t.Names[:len(t.Instances)], member)
}

// complete reports whether there are shards, and all are closed or complete.
func (t *table) complete() bool {
	for i := range t.Shards {
		if s := &t.Shards[i]; !s.Complete && s.State != group.StateClosed {
			return false
		}
	}
	return len(t.Shards) > 0
}
