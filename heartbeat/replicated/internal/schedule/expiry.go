package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// expiryState is what is known of the members that are about to expire.
type expiryState struct {
	notBefore time.Time // no member is expired before this time
	dueAt     time.Time // no member can be due before this time; not used with a record clock

	asking  question // the question that the record clock has not answered yet
	askedAt time.Time
	silence time.Duration     // the group's Expiry when the clock was asked
	expired []state.Tombstone // the clock's answer; written after it has also answered questionQuiet

	next    []state.Tombstone // for the next plan
	writing map[string]bool   // members whose tombstone is under way
}

// question is what the record clock is asked.
type question uint8

const (
	questionNone    question = iota
	questionExpired          // which members have sent no heartbeat for an Expiry?
	questionQuiet            // which members have sent no heartbeat for half an Expiry?
)

// planExpiry finds the members to expire, and returns when to look again.
func (s *Scheduler) planExpiry(now time.Time, ttl time.Duration, p *Plan) time.Time {
	if s.cfg.RecordClock {
		return s.planClock(now, p)
	}
	e := &s.expiry
	at := latest(e.notBefore, e.dueAt) // records and members are only replaced by newer ones
	switch {
	case !s.records.shown:
		return time.Time{}
	case now.Before(at):
		return at
	}
	wait := s.rankDelay()
	due, next := s.replica.ExpiredMembers(now.Add(-wait))
	if next.IsZero() {
		next = now.Add(ttl / 2)
	}
	e.dueAt = next.Add(wait + time.Millisecond)
	if len(due) > 0 {
		e.dueAt = now.Add(rankStep) // in case a tombstone cannot be written
	}
	s.expire(due...)
	return e.dueAt
}

// planClock asks the record clock which members have sent no heartbeat for an Expiry. Only
// processes that watch all records ask. The store reads every record for an answer, so if all
// processes asked, the cost would rise with the square of the group's size.
func (s *Scheduler) planClock(now time.Time, p *Plan) time.Time {
	e := &s.expiry
	switch {
	case e.asking != questionNone:
		return time.Time{}
	case len(e.expired) > 0:
		e.asking, p.AskClock = questionQuiet, s.replica.Expiry()/2
		return time.Time{}
	case !s.role.watch:
		return time.Time{}
	case now.Before(e.notBefore):
		return e.notBefore
	}
	e.asking, e.askedAt, e.silence = questionExpired, now, s.replica.Expiry()
	p.AskClock = e.silence + s.rankDelay()
	return time.Time{}
}

// OldRecord is a record that is old by the record clock. Record is zero if it cannot be read.
type OldRecord struct {
	Name     string
	Revision uint64
	Record   state.Record
}

// ClockAnswered takes the records that are older than Plan.AskClock, and the time until another one
// is; negative: there is none. If err is not nil, it ignores both.
func (s *Scheduler) ClockAnswered(old []OldRecord, next time.Duration, err error) {
	e := &s.expiry
	asked := e.asking
	e.asking = questionNone
	switch asked {
	case questionExpired:
		if e.silence == s.replica.Expiry() { // otherwise the answer is for an old Expiry
			s.clockExpired(old, next, err)
		}
	case questionQuiet:
		if err == nil {
			names := make([]string, len(old))
			for i, o := range old {
				names[i] = o.Name
			}
			s.replica.SetQuiet(names)
		}
		s.expire(e.expired...)
		e.expired = nil
	}
}

func (s *Scheduler) clockExpired(old []OldRecord, next time.Duration, err error) {
	e := &s.expiry
	ttl := s.replica.TTL()
	if err != nil {
		next = ttl / 20
	}
	if next < 0 || next > ttl/2 {
		next = ttl / 2 // members without a record may be due earlier
	}
	var due []state.Tombstone
	if s.records.shown {
		due = s.replica.MissingRecords(e.askedAt)
	}
	for _, o := range old {
		if v, ok := s.replica.Expire(o.Name, o.Revision, &o.Record); ok {
			due = append(due, v)
		}
	}
	switch {
	case len(due) > 0:
		next = min(next, rankStep) // in case a tombstone cannot be written
		e.expired = due
	case err == nil:
		s.replica.SetQuiet(nil)
	}
	e.notBefore = latest(e.notBefore, e.askedAt.Add(next+time.Millisecond))
}

// expire adds tombstones to the next plan, except those that are under way.
func (s *Scheduler) expire(due ...state.Tombstone) {
	for _, v := range due {
		if !s.expiry.writing[v.Member] {
			s.expiry.writing[v.Member] = true
			s.expiry.next = append(s.expiry.next, v)
		}
	}
}

func (s *Scheduler) takeTombstones() []state.Tombstone {
	next := s.expiry.next
	s.expiry.next = nil
	return next
}

// dropExpired forgets the tombstones that no plan has contained yet.
func (s *Scheduler) dropExpired() {
	for _, v := range s.takeTombstones() {
		delete(s.expiry.writing, v.Member)
	}
	s.expiry.expired = nil
}

// TombstoneWritten notes that a tombstone of the plan is in the store.
func (s *Scheduler) TombstoneWritten(now time.Time, v state.Tombstone, revision uint64, rec *state.Record) {
	delete(s.expiry.writing, v.Member)
	s.observeEnd(now, v.Member, revision, rec)
}

// TombstoneConflicted takes the record that made the write of a tombstone conflict: the member has
// sent a heartbeat meanwhile, so it stays. A process that does not watch all records ignores the
// record.
func (s *Scheduler) TombstoneConflicted(now time.Time, name string, revision uint64, rec *state.Record) {
	delete(s.expiry.writing, name)
	if s.records.shown {
		s.observe(now, name, revision, rec)
	}
}

// TombstoneFailed notes that the write of a tombstone failed, or has an unknown result.
func (s *Scheduler) TombstoneFailed(name string) { delete(s.expiry.writing, name) }
