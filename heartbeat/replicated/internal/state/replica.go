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
	doc      *table // nil: there is no document, or it is a deleted group's
	deleted  bool
	newest   uint64 // generation; a document of a lower one has lost writes
	grants   [][]shardset.Grant
	since    map[string]sighting // when each member of the document was first seen there

	records map[string]*sighting
	past    map[string]age  // of records that are to be shown again
	work    *draft          // the document with records applied; nil: to be made
	fresh   map[string]bool // records that work does not know yet
	quiet   map[string]bool // members that were not heard for a while: see Quiet
	applied uint64          // numbers what is applied, because records have no number
}

// sighting is a version, and when it came.
type sighting struct {
	revision uint64
	at       time.Time
	record   Record
	readable bool
	unshown  bool   // it is from before the last Restart, and was not shown again yet
	instance uint64 // in since: of the member
	missed   bool   // in since: it had no record when all were shown last, and none came since
}

// age is since when a version of a record is known.
type age struct {
	revision uint64
	instance uint64
	at       time.Time
}

// NewReplica returns a Replica that was shown nothing.
func NewReplica() *Replica {
	return &Replica{
		since: map[string]sighting{}, records: map[string]*sighting{}, past: map[string]age{}, fresh: map[string]bool{},
	}
}

// Adopt shows the Replica a version of the document, at now. One that is older than the
// newest is ignored: watches lag, and reads may be stale. An error says that this one
// cannot be used, and changes nothing: it matches ErrRolledBack, as the version is newer by
// its revision and older by what it says.
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
	r.meet(now)
	return nil
}

// Stepped tells the Replica that what Step returned is the document's version now. It
// is Adopt, but what was prepared since goes on from there.
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

// Forget makes the Replica one that was shown nothing: neither a document nor records. The
// records have to be shown to it anew, as after Restart.
func (r *Replica) Forget() { *r = *NewReplica() }

// meet notes which members are new in the document, and forgets those that are gone.
func (r *Replica) meet(now time.Time) {
	known := make(map[string]sighting, len(r.doc.Instances))
	for i, instance := range r.doc.Instances {
		name := r.doc.Names[i]
		s, ok := r.since[name]
		if !ok || s.instance != instance {
			s = sighting{instance: instance, at: now}
		}
		known[name] = s
	}
	// Who was a member and is none any more is over, whatever its last record says: that
	// must not have it join again.
	for name, s := range r.since {
		if rec := r.records[name]; known[name].instance != s.instance && rec != nil && rec.readable &&
			rec.record.Standing == StandingAlive && rec.record.Instance <= s.instance {
			r.drop(name)
		}
	}
	r.since = known
}

// Observe shows the Replica a version of a member's record, received at now: nil if there
// is none any more, and the zero Record for one that cannot be read. Older versions than
// the newest are ignored. One that was known before the last Restart is as old as it was.
// The Record is not to be changed any more.
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

// Restart is called when the Replica begins to be shown all records, and when that ends:
// what it knows of the records of others may be outdated from then on in a way that no
// later record tells, and would bring back members that are gone. What stays is what own
// says to be this process's own word, and that members are over, which is final. Shown
// then drops what is not in the store any more.
func (r *Replica) Restart(own func(member string, revision uint64) bool) {
	for name := range r.past {
		if _, member := r.since[name]; !member { // it was to be shown, and was not
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

// Shown is called when all records that there are were shown, after Restart. Members of
// whom there is none are missed from now on, because when the showing began they may have had
// one; or from the last time on, if they had none then.
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

// Redo has the next step begun anew from the document: the last one was refused, or
// nobody knows.
func (r *Replica) Redo() { r.work = nil }

// Pending reports whether the records that the Replica was shown ask for a change of
// the document.
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

// Step returns the document as it should be, or nil if it is as it should be. It is to
// be written over Revision, and nothing else.
func (r *Replica) Step() ([]byte, error) {
	return r.Change(func(*group.Group) error { return nil })
}

// Change is Step with a change of one's own: edit is called with the group after the
// records were applied. If it returns an error, nothing is changed.
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

// Delete is Change, with a deleted group.
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

// Quiet tells the Replica which members were not heard for half a TTL, as of now. The
// steps that it prepares give them nothing more. One whose record changes is not quiet any
// more.
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

// finished reports whether every shard is over, or done at its owner.
func (t *table) finished() bool {
	for i := range t.Shards {
		if s := &t.Shards[i]; !s.Complete && s.State != group.StateClosed {
			return false
		}
	}
	return len(t.Shards) > 0
}
