package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// watch is the state of a watch that the shell runs. The zero value does not run.
type watch struct {
	running  bool // a plan has started it, and no event has reported its end
	ending   bool // a plan ends it, and its events do not count any more
	shown    bool // it has delivered everything that was there when it began
	failures int  // in a row
	retryAt  time.Time
	health   watchHealth
}

// plan reports whether the watch must run, whether it begins with this plan, and when to try a
// failed one again.
func (w *watch) plan(now time.Time, wanted bool) (run, begins bool, at time.Time) {
	switch {
	case w.running:
		if !wanted {
			w.end()
		}
		return !w.ending, false, time.Time{}
	case !wanted:
		w.health.unneeded()
		return false, false, time.Time{}
	case now.Before(w.retryAt):
		return false, false, w.retryAt
	}
	w.running = true
	w.health.begun(now)
	return true, true, time.Time{}
}

// end makes the next plan end the watch, if it runs.
func (w *watch) end() { w.ending, w.shown = w.running, false }

// ended notes that the watch does not run any more. After a failure it is tried again later.
func (w *watch) ended(now time.Time, err error, pause func(failures int) time.Duration) {
	if !w.ending {
		w.failures++
		w.retryAt = now.Add(pause(w.failures))
		w.health.failed(now, err)
	}
	w.running, w.ending, w.shown = false, false, false
}

func (s *Scheduler) planWatches(now time.Time, p *Plan) time.Time {
	var at, retry time.Time
	p.WatchDocument, _, at = s.document.plan(now, true)
	shown := s.records.shown
	run, begins, retry := s.records.plan(now, s.role.watch)
	if p.WatchRecords = run; begins || shown && !s.records.shown {
		s.restartRecords()
	}
	return soonest(at, retry)
}

// restartRecords forgets the records of other processes. They may be outdated until a new watch has
// delivered all records, and as long as no watch runs.
func (s *Scheduler) restartRecords() {
	s.expiry.dueAt = time.Time{}
	s.replica.BeginReload(s.ownRecord)
}

// DocumentWatchWorked notes that the watch of the document has delivered what was there.
func (s *Scheduler) DocumentWatchWorked() {
	s.document.failures, s.document.shown = 0, true
	s.document.health.worked()
}

// DocumentWatchEnded notes that the watch of the document has ended, and why.
func (s *Scheduler) DocumentWatchEnded(now time.Time, err error) { s.document.ended(now, err, s.pause) }

// RecordWatchWorked notes that the watch of the records has delivered all that were there.
func (s *Scheduler) RecordWatchWorked(now time.Time) {
	if !s.records.running || s.records.ending {
		return
	}
	s.records.failures, s.records.shown = 0, true
	s.records.health.worked()
	s.replica.EndReload(now)
	s.step.pendingAt = time.Time{} // from now on the process waits only as long as its rank requires
}

// RecordWatchEnded notes that the watch of the records has ended, and why.
func (s *Scheduler) RecordWatchEnded(now time.Time, err error) {
	s.records.ended(now, err, s.pause)
	s.restartRecords()
}

// RecordSeen takes a version of a record from the watch of the records; see observe.
func (s *Scheduler) RecordSeen(now time.Time, name string, revision uint64, rec *state.Record) {
	if s.records.running && !s.records.ending {
		s.observe(now, name, revision, rec)
	}
}
