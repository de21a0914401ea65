package schedule

import "time"

const (
	// rankStep is how much later each rank acts than the rank before it. Most of the time the first
	// rank has acted by then.
	rankStep = 50 * time.Millisecond
	// maxWatchers is the largest number of ranks that watch all records.
	maxWatchers = 8
)

// watchers returns how many ranks watch all records in a group of so many members. Each watcher
// receives a message for each heartbeat, so a large group has few. In a small group it is likelier
// that all watchers end together, and probes find expired members later; so a small group has more.
func watchers(members int) int {
	if members > 64 {
		return 3
	}
	return min(members, maxWatchers)
}

// role is the rank of this process, and whether it watches all records.
type role struct {
	rank   int       // the position of its first member by name; without one, the number of members
	rankOf uint64    // the revision of the document in which it has that rank
	stale  bool      // its local members have changed since
	watch  bool      // it watches all records
	until  time.Time // it watches them until then, whatever its rank
}

// takeRole decides whether this process watches the records of all members.
func (s *Scheduler) takeRole(now time.Time, ttl time.Duration) {
	if r := s.replica.Revision(); r != s.role.rankOf || s.role.stale {
		s.role.rank, s.role.rankOf, s.role.stale = s.replica.Rank(s.mine), r, false
	}
	s.role.watch = ttl > 0 && (s.role.rank < watchers(s.replica.Members()) || now.Before(s.role.until))
}

// rankDelay returns how much later this process acts than the process of rank 0.
func (s *Scheduler) rankDelay() time.Duration {
	return time.Duration(min(s.role.rank, maxWatchers)) * rankStep
}

// Watching reports whether this process watches the records of all members, or is about to.
func (s *Scheduler) Watching() bool { return s.role.watch }
