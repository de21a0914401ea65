package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// observe passes a version of a record to the replica: nil if the record was deleted, and the zero
// Record if it cannot be read.
func (s *Scheduler) observe(now time.Time, name string, revision uint64, rec *state.Record) {
	s.replica.Observe(now, name, revision, rec)
	// If a local instance has expired, its next heartbeat returns that. Wake it up, so that it
	// sends one now.
	l := s.members[name]
	if l != nil && !l.over && rec != nil && rec.Standing == state.StandingExpired && rec.Instance == l.instance &&
		revision > l.revision {
		s.wakeUp(name)
	}
}

// observeEnd passes to the replica a record that shows the end of its instance. If no other process
// makes the step for that, this one does.
func (s *Scheduler) observeEnd(now time.Time, name string, revision uint64, rec *state.Record) {
	s.observe(now, name, revision, rec)
	s.asked(now)
}
