package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// coalesce is how long the first rank waits for further records, and pace is the least time
// between two steps of one process, which rests for twice as long as a step takes. So a thousand
// members that join at once make a few documents.
const (
	coalesce = time.Millisecond
	pace     = 5 * time.Millisecond
)

// stepState is what is known of steps of the document.
type stepState struct {
	underWay  bool
	startedAt time.Time // when the one under way was prepared
	failed    bool      // the last one failed, and the document was not read since
	failure   error     // why, unless it met another version
	failures  int       // in a row, without those that met another version
	restUntil time.Time // no step before, since one failed

	pendingAt time.Time // since when the records ask for a step of this document; zero: they do not
	dueAt     time.Time // when this process makes it
	askedAt   time.Time // since when a record of this process may ask for one; zero: none does
	askedNext time.Time // the same for records that came while the step was under way
	doneAt    time.Time // when the last one ended
	took      time.Duration
	changedAt time.Time // when the document changed last
}

// asked notes that a record of this process has said something new.
func (s *Scheduler) asked(now time.Time) {
	if s.step.askedAt.IsZero() {
		s.step.askedAt = now
	}
	if s.step.underWay && s.step.askedNext.IsZero() {
		s.step.askedNext = now
	}
}

// stepDue returns when a step is made that the records ask for since pendingAt.
func (s *Scheduler) stepDue() time.Time {
	t := &s.step
	var at time.Time
	switch {
	case s.replica.Members() == 0: // no process has a rank: the first one steps, when most members have come
		at = t.pendingAt.Add(rankStep + s.upTo(rankStep))
	case !s.records.shown:
		// As long as documents come, the processes that watch the records make the steps.
		wait := patience(s.replica.TTL())
		at = latest(t.pendingAt, t.changedAt).Add(wait + s.upTo(wait/2))
	case s.role.rank == 0:
		at = t.pendingAt.Add(coalesce)
	default:
		at = t.pendingAt.Add(s.rankDelay() + s.upTo(rankStep/2))
	}
	return latest(at, t.doneAt.Add(max(pace, 2*t.took)))
}

// patience is how long a process waits for those that watch the records to apply what its own
// members say, before it does so itself.
func patience(ttl time.Duration) time.Duration { return min(maxWatchers*2*rankStep, ttl/8) }

// planStep writes the document as it should be, if it is the turn of this process.
func (s *Scheduler) planStep(now time.Time, p *Plan) time.Time {
	t := &s.step
	switch {
	case t.underWay || t.failed || s.tooOld():
		return time.Time{}
	case now.Before(t.restUntil):
		return t.restUntil
	}
	if !s.records.shown {
		// It knows for sure only what its own members say. To compute the step costs more
		// than it is worth before others have had the time to make it.
		if t.askedAt.IsZero() {
			return time.Time{}
		}
		if t.pendingAt.IsZero() {
			t.pendingAt = t.askedAt
			t.dueAt = s.stepDue()
		}
		if now.Before(t.dueAt) {
			return t.dueAt
		}
	}
	pending, err := s.replica.Pending()
	if err != nil {
		s.unreadable(s.replica.Revision(), err)
		s.stepFailed(now, err)
	}
	if err != nil || !pending {
		t.pendingAt, t.askedAt = time.Time{}, time.Time{}
		return s.planFailedStep(now, p)
	}
	if t.pendingAt.IsZero() {
		t.pendingAt = now
		t.dueAt = s.stepDue()
	}
	if now.Before(t.dueAt) {
		return t.dueAt
	}
	s.noteQuiet(now)
	data, err := s.replica.Step()
	if err != nil || data == nil {
		if err != nil {
			s.stepFailed(now, err)
		}
		return s.planFailedStep(now, p)
	}
	p.WriteDocument = &Write{Data: data, Over: s.replica.Revision()}
	t.underWay, t.startedAt = true, now
	return time.Time{}
}

// DocumentWritten notes that the step of the plan is in the store.
func (s *Scheduler) DocumentWritten(now time.Time, d Document) {
	t := &s.step
	next := t.askedNext
	s.stepEnded(now)
	if err := s.replica.AdoptWritten(now, d.Revision, d.Version); err != nil {
		s.stepFailed(now, err)
		return
	}
	t.failures = 0
	t.askedAt = next // what was asked for since the step began is not in it
	s.adopted(now)
}

// DocumentConflicted notes that the step of the plan met another version.
func (s *Scheduler) DocumentConflicted(now time.Time) {
	s.stepEnded(now)
	s.stepFailed(now, nil)
}

// DocumentNotWritten notes that the step of the plan failed. It may be in the store all the same:
// then the next one conflicts, and the document is read.
func (s *Scheduler) DocumentNotWritten(now time.Time, err error) {
	s.stepEnded(now)
	s.stepFailed(now, err)
}

func (s *Scheduler) stepEnded(now time.Time) {
	t := &s.step
	t.underWay, t.askedNext = false, time.Time{}
	t.doneAt, t.took = now, min(now.Sub(t.startedAt), rankStep)
}

// stepFailed has the document read before the next step; a read that is under way already may
// have missed what made the step fail. A nil error means that another
// process was faster.
func (s *Scheduler) stepFailed(now time.Time, err error) {
	s.step.pendingAt = time.Time{}
	s.step.failed, s.step.failure = true, err
	s.read.early = s.read.underWay
}

// planFailedStep reads the document at once if the step failed before it was written.
func (s *Scheduler) planFailedStep(now time.Time, p *Plan) time.Time {
	if s.step.failed && !p.ReadDocument {
		return s.planRead(now, s.ttl(), p)
	}
	return time.Time{}
}

// retryStep decides when to step again after the document was read: at once if another
// process was faster, later if the store or the document is in no state for it.
func (s *Scheduler) retryStep(now time.Time, readErr error) {
	t := &s.step
	t.failed = false
	if t.failure == nil && readErr == nil {
		return
	}
	if t.failure != nil {
		s.notices = append(s.notices, Notice{Kind: StepFailed, Err: t.failure})
	}
	t.failures++
	t.restUntil = now.Add(s.pause(t.failures)) // whatever happens meanwhile
	t.failure = nil
}

// noteQuiet passes to the replica, before a step, which members have been silent for half a TTL. A store
// with a record clock was asked for them before members expired.
func (s *Scheduler) noteQuiet(now time.Time) {
	if s.cfg.RecordClock || !s.records.shown {
		return
	}
	quiet, _ := s.replica.ExpiredMembers(now.Add(s.replica.Expiry() / 2))
	s.replica.SetQuiet(memberNames(quiet))
}

func memberNames(list []state.Tombstone) []string {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.Member
	}
	return names
}
