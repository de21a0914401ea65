package schedule

import "time"

const (
	// rankStep is how much later than the rank before it a process acts. Most of the time
	// the first one has acted by then.
	rankStep = 50 * time.Millisecond
	// maxWatchers is how many ranks watch all records at the most.
	maxWatchers = 8
)

// watchers is how many ranks watch all records in a group of so many members, and so can act
// at once. More would cost messages, of every member to every watcher, which only a large group
// feels. Fewer would leave the shards of members that expire together to the probes of the
// others, which is likelier in a small group.
func watchers(members int) int {
	if members > 64 {
		return 3
	}
	return min(members, maxWatchers)
}

// role is the place of this process among those that keep the group.
type role struct {
	rank   int       // the place of its first member by name, or behind all
	rankOf uint64    // the revision of the document in which it has that rank
	stale  bool      // its members are others by now
	watch  bool      // it watches all records
	until  time.Time // it does until then, whatever its rank
}

// takeRole decides whether this process watches the records of all members.
func (s *Scheduler) takeRole(now time.Time, ttl time.Duration) {
	if r := s.replica.Revision(); r != s.role.rankOf || s.role.stale {
		s.role.rank, s.role.rankOf, s.role.stale = s.replica.Rank(s.mine), r, false
	}
	s.role.watch = ttl > 0 && (s.role.rank < watchers(s.replica.Members()) || now.Before(s.role.until))
}

// rankDelay is how much later than the first one this process expires members.
func (s *Scheduler) rankDelay() time.Duration {
	return time.Duration(min(s.role.rank, maxWatchers)) * rankStep
}

// Watching reports whether this process watches the records of all members, or is about to.
func (s *Scheduler) Watching() bool { return s.role.watch }
