package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// observe shows the replica a version of a record: nil if there is none any more, and the zero
// Record for one that cannot be read.
func (s *Scheduler) observe(now time.Time, name string, revision uint64, rec *state.Record) {
	s.replica.Observe(now, name, revision, rec)
	// An instance of this process that has expired learns it by its next heartbeat.
	l := s.members[name]
	if l != nil && !l.over && rec != nil && rec.Standing == state.StandingExpired && rec.Instance == l.instance &&
		revision > l.revision {
		s.wakeUp(name)
	}
}

// observeEnd shows the replica a record that says that its instance is over, which asks for a
// step of the document if no other process makes it.
func (s *Scheduler) observeEnd(now time.Time, name string, revision uint64, rec *state.Record) {
	s.observe(now, name, revision, rec)
	s.asked(now)
}
