package state

import (
	"slices"
	"strings"
	"time"
)

// Tombstone marks the instance of an expired member, in its record. Another process writes
// it, over Revision and nothing else: a member that has written a newer record is alive. For
// an orphaned record it says what to delete.
type Tombstone struct {
	Member   string
	Instance uint64
	Revision uint64 // zero: there is no record
}

// Encode returns the record of the expired instance.
func (t Tombstone) Encode() []byte {
	rec := Record{Standing: StandingExpired}
	rec.Member, rec.Instance = t.Member, t.Instance
	return rec.Encode()
}

// ExpiredMembers returns the tombstones to write at now, sorted: of the members whose
// records have not changed for an Expiry while this Replica was shown them. It also returns
// when the next one is due, zero for never. The Replica must be shown every record.
//
// The time counts from when a record came, which is after its member sent it. The member
// has stopped by then: its lease counts from when it sent the heartbeat, and has a margin.
func (r *Replica) ExpiredMembers(now time.Time) (due []Tombstone, next time.Time) {
	if r.doc == nil {
		return nil, time.Time{}
	}
	for i, instance := range r.doc.Instances {
		t, at, ok := r.tombstone(r.doc.Names[i], instance)
		if !ok {
			continue
		}
		if end := at.Add(r.Expiry()); now.After(end) {
			due = append(due, t)
		} else if next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return due, next
}

// tombstone returns the tombstone that a member may get, and since when the member is not
// heard; false if its record says that it is over: the next step removes it.
func (r *Replica) tombstone(name string, instance uint64) (Tombstone, time.Time, bool) {
	t := Tombstone{Member: name, Instance: instance}
	since := r.members[name].at
	s := r.records[name]
	if s == nil {
		return t, since, true
	}
	t.Revision = s.revision
	if s.readable && s.record.Instance >= instance {
		t.Instance = s.record.Instance
		return t, s.at, r.mayExpire(&s.record, instance)
	}
	// Its own record was lost, or is in a form that this version cannot read.
	if s.at.After(since) {
		since = s.at
	}
	return t, since, true
}

// mayExpire reports whether a member expires when this record of its instance, or of a later
// one, does not change: not if the record says that the instance is over, nor if the later
// instance is about to replace the member. One that names an earlier group does not.
func (r *Replica) mayExpire(rec *Record, instance uint64) bool {
	return !rec.ended() && (rec.Instance == instance || rec.Born != r.doc.born)
}

// Expire is ExpiredMembers for a store that has a clock of its own. It returns the tombstone
// of a record that is old by that clock, and false if its instance is no member or is over.
// The zero Record stands for one that cannot be read.
func (r *Replica) Expire(member string, revision uint64, rec *Record) (Tombstone, bool) {
	instance := r.Instance(member)
	t := Tombstone{Member: member, Instance: instance, Revision: revision}
	if instance == 0 || rec.Instance >= instance && !r.mayExpire(rec, instance) {
		return Tombstone{}, false
	}
	t.Instance = max(instance, rec.Instance)
	return t, true
}

// MissingRecords returns the tombstones of members that have had no record for an Expiry.
// The clock of a store does not know of them.
func (r *Replica) MissingRecords(now time.Time) (due []Tombstone) {
	for name, s := range r.members {
		if r.records[name] == nil && now.After(s.at.Add(r.Expiry())) {
			due = append(due, Tombstone{Member: name, Instance: s.instance})
		}
	}
	slices.SortFunc(due, func(a, b Tombstone) int { return strings.Compare(a.Member, b.Member) })
	return due
}

// ForgetRecord forgets a record that was deleted, unless a newer one has come since.
func (r *Replica) ForgetRecord(t Tombstone) {
	if s := r.records[t.Member]; s != nil && s.revision == t.Revision {
		r.forget(t.Member)
	}
}

// forget forgets a record, and what it may have changed in the step that is being prepared.
func (r *Replica) forget(member string) {
	delete(r.records, member)
	delete(r.unapplied, member)
	r.draft = nil
}

// OrphanedRecords returns the records to delete at now, sorted: their names are no members in
// the document, and they have not changed for two Expiries. If such a process lives after
// all, it finds its record gone, and joins anew.
func (r *Replica) OrphanedRecords(now time.Time) (old []Tombstone) {
	if r.doc == nil {
		return nil
	}
	for name, s := range r.records {
		if r.members[name].instance == 0 && now.After(s.at.Add(2*r.Expiry())) {
			old = append(old, Tombstone{Member: name, Instance: s.record.Instance, Revision: s.revision})
		}
	}
	slices.SortFunc(old, func(a, b Tombstone) int { return strings.Compare(a.Member, b.Member) })
	return old
}

// ForgetOrphanedRecords forgets what OrphanedRecords returns. It is for a Replica that is not
// shown the records of other processes, so it does not see that they were deleted.
func (r *Replica) ForgetOrphanedRecords(now time.Time) {
	for _, t := range r.OrphanedRecords(now) {
		r.ForgetRecord(t)
	}
}
