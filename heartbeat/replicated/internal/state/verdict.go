package state

import (
	"slices"
	"strings"
	"time"
)

// Verdict is a change of a member's record that somebody else makes: that its instance
// is dead, or that a record which nobody needs goes. It is to be written over Revision
// and nothing else: whoever has spoken meanwhile is alive.
type Verdict struct {
	Member   string
	Instance uint64
	Revision uint64 // zero: there is no record
}

// Encode returns the record of the dead instance.
func (v Verdict) Encode() []byte {
	rec := Record{Standing: StandingDead}
	rec.Member, rec.Instance = v.Member, v.Instance
	return rec.Encode()
}

// Overdue returns the verdicts that are due at now on members whose records have not
// changed for a TTL before the eyes of this Replica, sorted; and when the next one will
// be, zero for never. It takes a Replica that is shown every record.
//
// The TTL counts from when a record came, which is after it was sent; its member has
// given up before, at the latest a TTL less the margin after it sent it.
func (r *Replica) Overdue(now time.Time) (due []Verdict, next time.Time) {
	if r.doc == nil {
		return nil, time.Time{}
	}
	for i, instance := range r.doc.Instances {
		v, at, ok := r.judge(r.doc.Names[i], instance)
		if !ok {
			continue
		}
		if end := at.Add(r.Silence()); now.After(end) {
			due = append(due, v)
		} else if next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return due, next
}

// judge returns the verdict on a member, for whom it may concern, and since when it is
// silent. There is none on one that a record says to be over: the next step removes it.
func (r *Replica) judge(name string, instance uint64) (Verdict, time.Time, bool) {
	v := Verdict{Member: name, Instance: instance}
	since := r.since[name].at
	s := r.records[name]
	if s == nil {
		return v, since, true
	}
	v.Revision = s.revision
	if s.readable && s.record.Instance >= instance {
		v.Instance = s.record.Instance
		return v, s.at, r.mayJudge(&s.record, instance)
	}
	// Its own record was lost, or is in a form that this version cannot read.
	if s.at.After(since) {
		since = s.at
	}
	return v, since, true
}

// mayJudge reports whether a verdict on a member is due on the record of its instance or of
// a later one: not if that is over, nor if it is about to replace the member, as one that
// speaks to an earlier group is not.
func (r *Replica) mayJudge(rec *Record, instance uint64) bool {
	return !rec.over() && (rec.Instance == instance || rec.Born != r.doc.born)
}

// Condemn is Overdue for a store that has a clock of its own: it turns a record that is
// old by that clock into a verdict, if its instance is a member that is not over. The zero
// Record is one that cannot be read, or none.
func (r *Replica) Condemn(member string, revision uint64, rec *Record) (Verdict, bool) {
	instance := r.Instance(member)
	v := Verdict{Member: member, Instance: instance, Revision: revision}
	if instance == 0 || rec.Instance >= instance && !r.mayJudge(rec, instance) {
		return Verdict{}, false
	}
	v.Instance = max(instance, rec.Instance)
	return v, true
}

// Absent is Overdue for the members without a record, of which such a store knows
// nothing.
func (r *Replica) Absent(now time.Time) (due []Verdict) {
	for name, s := range r.since {
		if r.records[name] == nil && now.After(s.at.Add(r.Silence())) {
			due = append(due, Verdict{Member: name, Instance: s.instance})
		}
	}
	slices.SortFunc(due, func(a, b Verdict) int { return strings.Compare(a.Member, b.Member) })
	return due
}

// Drop forgets a record that was deleted, unless another has come since.
func (r *Replica) Drop(v Verdict) {
	if s := r.records[v.Member]; s != nil && s.revision == v.Revision {
		r.drop(v.Member)
	}
}

// drop forgets a record, and what it may have changed in the step that is being prepared.
func (r *Replica) drop(member string) {
	delete(r.records, member)
	delete(r.fresh, member)
	r.work = nil
}

// Waste returns the records of those whom the document does not know, if they have not
// changed for two TTLs: they go, so that members which never come back leave nothing
// behind. Who lives after all finds that out, and joins anew.
func (r *Replica) Waste(now time.Time) (old []Verdict) {
	if r.doc == nil {
		return nil
	}
	for name, s := range r.records {
		if r.since[name].instance == 0 && now.After(s.at.Add(2*r.Silence())) {
			old = append(old, Verdict{Member: name, Instance: s.record.Instance, Revision: s.revision})
		}
	}
	slices.SortFunc(old, func(a, b Verdict) int { return strings.Compare(a.Member, b.Member) })
	return old
}

// Shrink forgets the records that Waste names: for who is not shown the records of others,
// and does not hear that they were deleted.
func (r *Replica) Shrink(now time.Time) {
	for _, v := range r.Waste(now) {
		r.Drop(v)
	}
}
