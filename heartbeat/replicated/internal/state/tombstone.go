package state

import (
	"slices"
	"strings"
	"time"
)

// Tombstone marks the record of an expired instance. Another process writes it over the record, but
// only over Revision: if the member has written a newer record, it is alive. OrphanedRecords also
// returns Tombstones, for records to delete.
type Tombstone struct {
	Member   string
	Instance uint64
	Revision uint64 // zero: there is no record
}

// Encode returns the encoded record that marks the instance as expired.
func (t Tombstone) Encode() []byte {
	rec := Record{Standing: StandingExpired}
	rec.Member, rec.Instance = t.Member, t.Instance
	return rec.Encode()
}

// ExpiredMembers returns the tombstones to write at now, sorted by name: one for each member whose
// record has not changed for an Expiry while the process watched it. It also returns when the next
// one is due, zero for never. The process must pass every record to Observe.
//
// The Expiry counts from the arrival of the record, which is after the member sent its heartbeat. So
// the member has stopped before the Expiry has passed: its lease counts from the heartbeat, and ends
// with a margin before that.
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

// tombstone returns the tombstone for a member, and since when its record has not changed. It returns
// false if the record shows that the member has ended: the next step removes the member.
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
	// The record of this instance was lost, or this version cannot decode it.
	if s.at.After(since) {
		since = s.at
	}
	return t, since, true
}

// mayExpire reports whether a member expires if this record, of its instance or of a later one, does
// not change. It does not expire if the record shows that the instance has ended. It does not expire
// either if the record is of a later instance, because that instance replaces it in the next step. But
// a record from another group of this name replaces no member, so the member expires.
func (r *Replica) mayExpire(rec *Record, instance uint64) bool {
	return !rec.ended() && (rec.Instance == instance || rec.Born != r.doc.born)
}

// Expire returns the tombstone for a record that is older than an Expiry. ExpiredMembers measures that
// age itself; Expire is for a record whose age is known from the store's clock or from probes. It
// returns false if the member is not in the document, has ended, or is about to be replaced by a later
// instance. Pass the zero Record if the record cannot be decoded.
func (r *Replica) Expire(member string, revision uint64, rec *Record) (Tombstone, bool) {
	instance := r.Instance(member)
	t := Tombstone{Member: member, Instance: instance, Revision: revision}
	if instance == 0 || rec.Instance >= instance && !r.mayExpire(rec, instance) {
		return Tombstone{}, false
	}
	t.Instance = max(instance, rec.Instance)
	return t, true
}

// MissingRecords returns the tombstones, sorted by name, for members that have had no record for an
// Expiry. A store with a clock cannot find these members, because it only knows the age of records.
func (r *Replica) MissingRecords(now time.Time) (due []Tombstone) {
	for name, s := range r.members {
		if r.records[name] == nil && now.After(s.at.Add(r.Expiry())) {
			due = append(due, Tombstone{Member: name, Instance: s.instance})
		}
	}
	slices.SortFunc(due, func(a, b Tombstone) int { return strings.Compare(a.Member, b.Member) })
	return due
}

// ForgetRecord forgets a record that the process has deleted in the store, unless a newer version of the
// record has come since.
func (r *Replica) ForgetRecord(t Tombstone) {
	if s := r.records[t.Member]; s != nil && s.revision == t.Revision {
		r.forget(t.Member)
	}
}

// forget forgets a record, and the draft that may contain it.
func (r *Replica) forget(member string) {
	delete(r.records, member)
	delete(r.unapplied, member)
	r.draft = nil
}

// OrphanedRecords returns the records to delete at now, sorted by name: those that belong to no member
// of the document, and that have not changed for twice the Expiry. If the member of such a record is
// alive after all, it finds that its record is missing, and joins again.
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

// ForgetOrphanedRecords forgets the records that OrphanedRecords returns. It is for a process that does
// not watch the records of other processes, and so does not see that they were deleted.
func (r *Replica) ForgetOrphanedRecords(now time.Time) {
	for _, t := range r.OrphanedRecords(now) {
		r.ForgetRecord(t)
	}
}
