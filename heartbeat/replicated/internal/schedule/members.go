package schedule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// localMember is an instance of a member that sends its heartbeats through this process.
type localMember struct {
	name     string
	instance uint64
	born     uint64 // Document.Born of the group to which it sends heartbeats

	spokeAt  time.Time
	seq      uint64        // of the newest heartbeat that was begun
	revision uint64        // of the record that this instance wrote last; zero: it has written none
	data     []byte        // of that record; nil: it has written none
	record   *state.Record // data as DecodeRecord reads it
	writing  bool          // a record of this instance is under way
	settled  bool          // when its last record was made, the document already contained it
	over     bool          // the instance has ended

	// released has the epochs of the shards that it has released, as long as the document still has
	// it as their owner.
	released map[shardset.ID]uint64
	answered shardset.Answer // the last answer
}

// errDocumentGone is the result of a heartbeat during which the document went away.
var errDocumentGone = errors.New("the group's document went away during the heartbeat")

// Admit begins a heartbeat. If it returns an error, that is the answer.
func (s *Scheduler) Admit(now time.Time, r shardset.Heartbeat) error {
	if s.fault != nil {
		// Only that document shows what the member was granted or must release. Without heartbeats
		// its lease ends, and it stops all its work.
		return s.fault
	}
	if s.tooOld() {
		// This process could answer, but it could not apply what its members report. A process that
		// knows the document's format can.
		return s.documentError(state.ErrNewer)
	}
	l, err := s.enter(now, r)
	if err != nil {
		return err
	}
	if s.outdated(l) || len(r.Held) > 0 && s.replica.Instance(r.Member) == 0 {
		// The instance is not, or no longer, a member: it holds nothing.
		return heartbeat.ErrEvicted
	}
	if n := s.replica.Members(); n >= state.MaxMembers && s.replica.Instance(r.Member) == 0 {
		return fmt.Errorf("the group has %d members, and takes no more", n)
	}
	return nil
}

// AdmitLeave begins the last request of an instance. If it returns an error, that is the answer.
func (s *Scheduler) AdmitLeave(now time.Time, r shardset.Heartbeat) error {
	_, err := s.enter(now, r)
	return err
}

// enter finds or makes the local member of a request.
func (s *Scheduler) enter(now time.Time, r shardset.Heartbeat) (*localMember, error) {
	l := s.members[r.Member]
	if l == nil || r.Instance > l.instance {
		l = &localMember{name: r.Member, instance: r.Instance, born: s.replica.Born(), released: map[shardset.ID]uint64{}}
		s.members[r.Member] = l
		s.role.stale = true
	}
	l.spokeAt = now
	newest := max(l.instance, s.replica.Instance(r.Member))
	switch {
	case r.Instance < newest:
		return nil, &shardset.ReplacedError{Member: r.Member, Newest: newest}
	case l.over:
		return nil, heartbeat.ErrEvicted
	case r.Seq <= l.seq:
		return nil, heartbeat.ErrStaleHeartbeat
	}
	l.seq = r.Seq
	return l, nil
}

// find returns the local member of an instance, or an error that says why the instance has ended.
func (s *Scheduler) find(name string, instance uint64) (*localMember, error) {
	switch l := s.members[name]; {
	case l == nil, l.instance == instance && l.over:
		return nil, heartbeat.ErrEvicted
	case l.instance != instance:
		return nil, &shardset.ReplacedError{Member: name, Newest: l.instance}
	default:
		return l, nil
	}
}

// RecordWrite is a record of a local member to write.
type RecordWrite struct {
	Name     string
	Instance uint64
	Write
	// Quiet reports that the record contains nothing new: it only shows that the member is alive.
	Quiet bool
	// Known is the decoded Data, if the last record was the same. Nil: the caller decodes Data.
	Known *state.Record
	ttl   time.Duration // the group's when the record was made: see answer
}

// Prepare makes the record of an admitted request, and notes which shards the record releases. They
// count as released from now on, even if the write fails, because another process may see the
// record. No later record can hold them again until a step has applied the release. The caller
// writes one record of a member at a time, and ends each write by RecordWritten, LeaveWritten or
// RecordNotWritten. If Prepare returns an error, the instance has ended or a later request has
// overtaken this one, and the error is the answer.
func (s *Scheduler) Prepare(r shardset.Heartbeat, standing state.Standing) (RecordWrite, error) {
	l, err := s.find(r.Member, r.Instance)
	if err != nil {
		return RecordWrite{}, err
	}
	if r.Seq < l.seq {
		return RecordWrite{}, heartbeat.ErrStaleHeartbeat
	}
	s.dropTaken(l)
	if slices.ContainsFunc(r.Held, l.gaveUp) {
		r.Held = slices.DeleteFunc(slices.Clone(r.Held), l.gaveUp)
	}
	rec := &state.Record{Standing: standing, Born: l.born, Heartbeat: r}
	s.noteReleased(l, rec)
	data, applied := rec.Encode(), s.replica.Applied(rec)
	w := RecordWrite{
		Name: l.name, Instance: l.instance, Write: Write{Data: data, Over: l.revision},
		Quiet: l.settled && applied, ttl: s.replica.TTL(),
	}
	if slices.Equal(data, l.data) {
		w.Quiet, w.Known = true, l.record
	}
	l.settled, l.writing = applied, true
	return w, nil
}

// noteReleased notes which shards a record releases, according to the newest document.
func (s *Scheduler) noteReleased(l *localMember, rec *state.Record) {
	for _, g := range s.replica.Released(l.name, l.instance, rec.Held, rec.Generation) {
		l.released[g.ID] = max(g.Epoch, l.released[g.ID])
	}
}

// RecordRevision returns the revision of a local member's record, as far as this process knows;
// zero: none.
func (s *Scheduler) RecordRevision(name string, instance uint64) uint64 {
	if l := s.members[name]; l != nil && l.instance == instance {
		return l.revision
	}
	return 0
}

// RecordFound takes the record that the store has for a local member, after a write of w has
// conflicted. rec is nil if there is no record; it is the zero Record, with an error, if the record
// cannot be read. RecordFound returns the revision to write over, or an error that says why the
// instance has ended.
func (s *Scheduler) RecordFound(w RecordWrite, revision uint64, rec *state.Record, err error) (uint64, error) {
	l, over := s.find(w.Name, w.Instance)
	switch {
	case over != nil:
		return 0, over
	case revision < l.revision || rec == nil && l.revision != 0:
		// The store has lost the record, or the record was deleted after a tombstone. The shards of
		// this instance may have been granted again.
		s.endInstance(l)
		return 0, heartbeat.ErrEvicted
	case rec == nil:
		return 0, nil
	case err != nil:
		return 0, err
	case rec.Instance > l.instance:
		s.endInstance(l)
		return 0, &shardset.ReplacedError{Member: l.name, Newest: rec.Instance}
	case rec.Instance == l.instance && rec.Standing != state.StandingAlive:
		s.endInstance(l)
		return 0, heartbeat.ErrEvicted
	}
	return revision, nil
}

// RecordWritten notes that a local member's record is in the store, and returns the answer to its
// heartbeat. rec is the decoded record.
func (s *Scheduler) RecordWritten(now time.Time, w RecordWrite, revision uint64, rec *state.Record) (shardset.Answer, error) {
	l, err := s.wrote(now, w, revision, rec)
	if err != nil {
		return shardset.Answer{}, err
	}
	if s.outdated(l) { // the group was deleted and created again meanwhile
		return shardset.Answer{}, heartbeat.ErrEvicted
	}
	s.noteReleased(l, rec) // by the newest document, from which the answer comes
	if s.replica.TTL() == 0 {
		return shardset.Answer{}, errDocumentGone
	}
	return s.answer(l, w.ttl), nil
}

// LeaveWritten notes that a local member's last record is in the store.
func (s *Scheduler) LeaveWritten(now time.Time, w RecordWrite, revision uint64, rec *state.Record) {
	if l, err := s.wrote(now, w, revision, rec); err == nil {
		l.over = true
	}
}

func (s *Scheduler) wrote(now time.Time, w RecordWrite, revision uint64, rec *state.Record) (*localMember, error) {
	l, err := s.find(w.Name, w.Instance)
	if err != nil { // the instance has ended meanwhile, and its record does not count
		s.RecordNotWritten(w)
		return nil, err
	}
	l.revision, l.data, l.record, l.writing = revision, w.Data, rec, false
	s.replica.Observe(now, l.name, revision, rec)
	if !w.Quiet {
		s.asked(now)
	}
	return l, nil
}

// RecordNotWritten ends a write of a local member's record whose result is unknown.
func (s *Scheduler) RecordNotWritten(w RecordWrite) {
	if l := s.members[w.Name]; l != nil && l.instance == w.Instance {
		l.writing = false
	}
}

// Member reports whether an instance is a member by the newest document.
func (s *Scheduler) Member(name string, instance uint64) bool {
	return s.replica.Instance(name) == instance
}

// endInstance ends an instance, and forgets its record.
func (s *Scheduler) endInstance(l *localMember) {
	s.replica.ForgetRecord(state.Tombstone{Member: l.name, Revision: l.revision})
	l.over, l.revision = true, 0
}

// outdated reports whether the group was deleted and created again since an instance began. Such an
// instance has ended.
func (s *Scheduler) outdated(l *localMember) bool {
	return s.replica.TTL() != 0 && (l.born != s.replica.Born() || s.replica.Former(l.name, l.instance))
}

// mine reports whether this process has a local member of this name, with this instance or a later
// one. A later one counts, so that a restarted process has the rank of its predecessor at once.
func (s *Scheduler) mine(member string, instance uint64) bool {
	l := s.members[member]
	return l != nil && instance <= l.instance
}

// ownRecord reports whether a version of a record is the last one that an instance of this process
// wrote.
func (s *Scheduler) ownRecord(member string, revision uint64) bool {
	l := s.members[member]
	return l != nil && l.revision == revision
}

// answer returns what an instance may hold, and remembers it. The lease is no longer than ttl, the
// group's TTL when the record was made: a process that expires members by that record may not know
// a later TTL.
func (s *Scheduler) answer(l *localMember, ttl time.Duration) shardset.Answer {
	l.answered = s.allowed(l)
	l.answered.TTL = min(l.answered.TTL, ttl)
	return l.answered
}

// allowed returns what the document grants, without the shards that the instance has released. A
// later step applies the release, and may grant these shards to another member.
func (s *Scheduler) allowed(l *localMember) shardset.Answer {
	a := s.replica.Answer(l.name, l.instance)
	s.dropTaken(l)
	if len(l.released) > 0 {
		a.Complete = false // the shards that it has released need an owner again
	}
	if slices.ContainsFunc(a.Grants, l.gaveUp) {
		a.Grants = slices.DeleteFunc(slices.Clone(a.Grants), l.gaveUp)
	}
	return a
}

// gaveUp reports whether the instance has released a grant, and no step has applied that yet.
func (l *localMember) gaveUp(g shardset.Grant) bool {
	epoch, ok := l.released[g.ID]
	return ok && g.Epoch <= epoch
}

// dropTaken forgets the released shards of which the document no longer has the instance as owner.
func (s *Scheduler) dropTaken(l *localMember) {
	for id, epoch := range l.released {
		if tok, ok := s.replica.Owner(id); !ok || tok.Member != l.name || tok.Instance != l.instance || tok.Epoch > epoch {
			delete(l.released, id)
		}
	}
}

// sameAnswer reports whether b tells a member nothing new after the answer a.
func sameAnswer(a, b shardset.Answer) bool {
	return a.TTL == b.TTL && a.Complete == b.Complete && slices.Equal(a.Grants, b.Grants)
}

// SetWatched sets whether Plan.Wake contains a member when its answer may have changed.
func (s *Scheduler) SetWatched(name string, watched bool) {
	if watched {
		s.watched[name] = true
		return
	}
	delete(s.watched, name)
	delete(s.wake, name)
}

func sortedKeys(set map[string]bool) []string {
	if len(set) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(set))
}

// wakeUp adds a member to the next Plan.Wake, if it is watched.
func (s *Scheduler) wakeUp(name string) {
	if s.watched[name] {
		s.wake[name] = true
	}
}
