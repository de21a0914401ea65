package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// keptTTLs is how many TTLs after its last heartbeat this process forgets a member of its own.
// The member's last requests have ended by then, and other processes have expired it.
const keptTTLs = 3

// planDeletes deletes orphaned records, once in a TTL: names change with every start of a
// worker, and would fill the store.
func (s *Scheduler) planDeletes(now time.Time, ttl time.Duration, p *Plan) time.Time {
	switch {
	case !s.records.shown || s.role.rank != 0:
		return time.Time{}
	case now.Before(s.cleanAt):
		return s.cleanAt
	}
	s.cleanAt = now.Add(ttl)
	p.Delete = s.replica.OrphanedRecords(now)
	return s.cleanAt
}

// RecordDeleted notes that a record of the plan is deleted.
func (s *Scheduler) RecordDeleted(v state.Tombstone) { s.replica.ForgetRecord(v) }

// shrink forgets, once in a TTL, the members that send no heartbeats through this process any
// more, and the claims of shards that these members do not own any more.
func (s *Scheduler) shrink(now time.Time, ttl time.Duration) time.Time {
	if now.Before(s.shrinkAt) {
		return s.shrinkAt
	}
	s.shrinkAt = now.Add(ttl)
	for name, l := range s.members {
		if !l.writing && now.Sub(l.spokeAt) > keptTTLs*ttl {
			delete(s.members, name)
			s.role.stale = true
		}
	}
	for id, c := range s.claims {
		if owner, ok := s.replica.Owner(id); !ok || owner != c.Token {
			delete(s.claims, id) // if it is needed after all, it is read from the store
		}
	}
	if !s.records.shown { // else the watch shows which records there are
		s.replica.ForgetOrphanedRecords(now)
	}
	return s.shrinkAt
}
