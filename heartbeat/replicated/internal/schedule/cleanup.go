package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// keptTTLs is after how many TTLs without a heartbeat this process forgets a local member. The
// member's last requests have ended by then, and other processes have expired it.
const keptTTLs = 3

// planDeletes deletes orphaned records, once in a TTL. Without that they would fill the store,
// because member names may change with every start of a worker.
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

// shrink runs once in a TTL. It forgets the local members that no longer send heartbeats through
// this process, and the claims whose owners no longer own the shard.
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
			delete(s.claims, id) // if a Save needs it after all, it reads the store
		}
	}
	if !s.records.shown { // otherwise the watch shows which records exist
		s.replica.ForgetOrphanedRecords(now)
	}
	return s.shrinkAt
}
