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
	revision uint64
	doc      *table // nil: there is no document, or it is a deleted group's
	deleted  bool
	newest   uint64 // its generation
	grants   [][]shardset.Grant
	since    map[string]sighting // when each member of the document was first in it

	records map[string]*sighting
	past    map[string]age  // of records that must be shown again
	work    *draft          // the document with the records applied; nil: it must be made anew
	fresh   map[string]bool // records that are not applied to work
	quiet   map[string]bool // see Quiet
	applied uint64          // counts applied records, for their sequence numbers
}

// sighting is a version of a record, or a member of the document, and when it came.
type sighting struct {
	revision uint64
	at       time.Time
	record   Record
	readable bool
	unshown  bool   // it was not shown since the last Restart
	instance uint64 // in since: of the member
	missed   bool   // in since: it has no record
}

// age is when a version of a record came.
type age struct {
	revision uint64
	instance uint64
	at       time.Time
}

// NewReplica returns a Replica that has seen nothing.
func NewReplica() *Replica {
	return &Replica{
		since: map[string]sighting{}, records: map[string]*sighting{}, past: map[string]age{}, fresh: map[string]bool{},
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
		r.revision, r.doc, r.grants, r.work = revision, nil, nil, nil
		r.deleted = true
		clear(r.since)
		return nil
	case v.doc.Generation < r.newest:
		return fmt.Errorf("%w: generation %d after %d", ErrRolledBack, v.doc.Generation, r.newest)
	}
	r.revision, r.doc, r.grants, r.deleted = revision, v.doc, v.grants, false
	r.newest, r.work = v.doc.Generation, nil
	r.trackMembers(now)
	return nil
}

// Stepped is Adopt for a document that this process has written, from Step. It keeps what the Replica
// has prepared since.
func (r *Replica) Stepped(now time.Time, revision uint64, v *Version) error {
	work := r.work
	if err := r.Adopt(now, revision, v); err != nil || r.revision != revision {
		return err
	}
	if work != nil {
		work.written()
		r.work = work
	}
	return nil
}

// Forget makes the Replica forget the document and all records. All records must be shown to it again,
// as after Restart.
func (r *Replica) Forget() { *r = *NewReplica() }

// trackMembers notes which members are new in the document, and which are gone.
func (r *Replica) trackMembers(now time.Time) {
	known := make(map[string]sighting, len(r.doc.Instances))
	for i, instance := range r.doc.Instances {
		name := r.doc.Names[i]
		s, ok := r.since[name]
		if !ok || s.instance != instance {
			s = sighting{instance: instance, at: now}
		}
		known[name] = s
	}
	// A member that is gone from the document is over, whatever its last record says: that
	// record must not let it join again.
	for name, s := range r.since {
		if rec := r.records[name]; known[name].instance != s.instance && rec != nil && rec.readable &&
			rec.record.Standing == StandingAlive && rec.record.Instance <= s.instance {
			r.drop(name)
		}
	}
	r.since = known
}

// Observe takes a version of a member's record, received at now: nil if the record was deleted, and the
// zero Record if it cannot be read. It ignores versions older than the newest. A version that it knew
// before the last Restart keeps its age. The caller must not change the Record any more.
func (r *Replica) Observe(now time.Time, member string, revision uint64, rec *Record) {
	if s := r.records[member]; s != nil && revision <= s.revision && revision != 0 {
		s.unshown = false
		return
	}
	if m, ok := r.since[member]; ok && m.missed != (rec == nil) {
		m.missed = rec == nil
		if m.missed {
			m.at = now
		}
		r.since[member] = m
	}
	if rec == nil {
		r.drop(member)
		return
	}
	if r.quiet[member] {
		delete(r.quiet, member)
		r.work = nil
	}
	s := &sighting{revision: revision, at: now, record: *rec, readable: rec.Standing != 0}
	r.records[member] = s
	if !s.readable {
		delete(r.fresh, member)
		return
	}
	if p, ok := r.past[member]; ok && p.revision == revision && p.instance == rec.Instance {
		s.at = p.at
	}
	r.fresh[member] = true
}

// Restart is called before all records are shown to the Replica, and when it is shown no more of them.
// Records that it knows of other processes may be outdated then: a record may have been deleted, and
// would bring back a member that is gone. The Replica keeps only records for which own is true, because
// this process wrote them, and those that say that a member is over, because that does not change. At
// Shown it forgets those of them that the store no longer has.
func (r *Replica) Restart(own func(member string, revision uint64) bool) {
	for name := range r.past {
		if _, member := r.since[name]; !member { // it was not shown
			delete(r.past, name)
		}
	}
	for name, s := range r.records {
		s.unshown = true
		if own(name, s.revision) || r.final(s) {
			continue
		}
		r.past[name] = age{s.revision, s.record.Instance, s.at}
		r.drop(name)
	}
	r.quiet, r.work = nil, nil
}

// final reports whether a record says that a member of the document is over.
func (r *Replica) final(s *sighting) bool {
	instance := r.since[s.record.Member].instance
	return s.readable && s.record.over() && instance != 0 && instance <= s.record.Instance
}

// Shown is called when all records have been shown, after Restart. A member without a record is
// missing one from now on, or from an earlier Shown at which it had none either.
func (r *Replica) Shown(now time.Time) {
	clear(r.past)
	for name, s := range r.records {
		if s.unshown {
			r.drop(name)
		}
	}
	for name, s := range r.since {
		missing := r.records[name] == nil
		if !missing || !s.missed {
			s.at, s.missed = now, missing
			r.since[name] = s
		}
	}
}

// Redo makes the Replica prepare the next step anew: the last one was refused, or its outcome is
// unknown.
func (r *Replica) Redo() { r.work = nil }

// Pending reports whether the records ask for a change of the document.
func (r *Replica) Pending() (bool, error) {
	if r.doc == nil {
		return false, nil
	}
	if err := r.Writable(); err != nil {
		return false, err
	}
	if r.work == nil {
		work, err := newDraft(r.doc)
		if err != nil {
			return false, err
		}
		r.work = work
		for name, s := range r.records {
			if s.readable {
				r.fresh[name] = true
			}
		}
	}
	r.applyFresh()
	return r.work.changed(), nil
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
	if err := edit(r.work.group); err != nil {
		r.work = nil
		return nil, err
	}
	if !r.work.changed() {
		return nil, nil
	}
	return r.work.encode(r.doc, false), nil
}

// Delete is Change to a deleted group.
func (r *Replica) Delete() ([]byte, error) {
	if _, err := r.Pending(); err != nil || r.doc == nil {
		return nil, err
	}
	return r.work.encode(r.doc, true), nil
}

func (r *Replica) applyFresh() {
	if len(r.fresh) == 0 && r.work.shared {
		return
	}
	r.work.group.SetQuiet(r.quiet)
	r.work.group.Batch(still, func() {
		for _, name := range slices.Sorted(maps.Keys(r.fresh)) {
			r.applied++
			rec := &r.records[name].record
			r.work.apply(rec, r.applied, rec.Born == r.doc.born)
		}
	})
	r.work.shared = true
	r.work.stepUp()
	clear(r.fresh)
}

// Quiet sets the members that have sent no heartbeat for half a TTL. The steps that the Replica prepares
// give them nothing more. A new record ends this for its member.
func (r *Replica) Quiet(members []string) {
	quiet := make(map[string]bool, len(members))
	for _, name := range members {
		quiet[name] = true
	}
	if !maps.Equal(quiet, r.quiet) {
		r.quiet, r.work = quiet, nil
	}
}

// shares returns the grants of each member, and how many shards each owns.
func (t *table) shares() (shares [][]shardset.Grant, owned []int) {
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
