package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// coalesce is how long the process of rank 0 waits for further records. pace is the least time
// between two steps of one process; after a slow step, a process waits for twice as long as that
// step took. So a thousand members that join at once cause only a few steps.
const (
	coalesce = time.Millisecond
	pace     = 5 * time.Millisecond
)

// stepState is what is known of steps of the document.
type stepState struct {
	underWay  bool
	startedAt time.Time // when the one under way was prepared
	failed    bool      // the last step failed, and the document was not read since
	failure   error     // why it failed; nil after a conflict
	failures  int       // in a row, without conflicts
	restUntil time.Time // no step before this time, because one failed

	pendingAt time.Time // since when the records require a step; zero: they do not
	dueAt     time.Time // when this process makes it
	askedAt   time.Time // since when a record of a local member may require a step; zero: none does
	askedNext time.Time // the same for records that came while the step was under way
	doneAt    time.Time // when the last one ended
	took      time.Duration
	changedAt time.Time // when the document changed last
}

// asked notes that a record of a local member reports something new, or that this process has seen
// the end of a member.
func (s *Scheduler) asked(now time.Time) {
	if s.step.askedAt.IsZero() {
		s.step.askedAt = now
	}
	if s.step.underWay && s.step.askedNext.IsZero() {
		s.step.askedNext = now
	}
}

// stepDue returns when this process makes the step that the records have required since pendingAt.
func (s *Scheduler) stepDue() time.Time {
	t := &s.step
	var at time.Time
	switch {
	case s.replica.Members() == 0: // no process has a rank; it waits a moment for more members
		at = t.pendingAt.Add(rankStep + s.upTo(rankStep))
	case !s.records.shown:
		// While new documents arrive, the processes that watch the records make the steps.
		wait := patience(s.replica.TTL())
		at = latest(t.pendingAt, t.changedAt).Add(wait + s.upTo(wait/2))
	case s.role.rank == 0:
		at = t.pendingAt.Add(coalesce)
	default:
		at = t.pendingAt.Add(s.rankDelay() + s.upTo(rankStep/2))
	}
	return latest(at, t.doneAt.Add(max(pace, 2*t.took)))
}

// patience is how long a process waits for the processes that watch the records to apply the
// records of its own members. Then it makes the step itself.
func patience(ttl time.Duration) time.Duration { return min(maxWatchers*2*rankStep, ttl/8) }

// planStep makes a step if the records require one and this process is due to make it.
func (s *Scheduler) planStep(now time.Time, p *Plan) time.Time {
	t := &s.step
	switch {
	case t.underWay || t.failed || s.tooOld():
		return time.Time{}
	case now.Before(t.restUntil):
		return t.restUntil
	}
	if !s.records.shown {
		// Only the records of its own members are certain here. Computing a step costs much, so the
		// process first gives others the time to make it.
		if t.askedAt.IsZero() {
			return time.Time{}
		}
		if t.pendingAt.IsZero() {
			t.pendingAt = t.askedAt
			t.dueAt = s.stepDue()
		}
	}
	if !t.pendingAt.IsZero() && now.Before(t.dueAt) {
		return t.dueAt // the step applies all records that come until then at once
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
	t.askedAt = next // records that came since the step began are not in it
	s.adopted(now)
}

// DocumentConflicted notes that the step of the plan conflicted with another version.
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

// stepFailed makes the next plans read the document before another step. A read that is under way
// already does not count, because it may have missed the version that made the step fail. A nil
// error means that another process was faster.
func (s *Scheduler) stepFailed(now time.Time, err error) {
	s.step.pendingAt = time.Time{}
	s.step.failed, s.step.failure = true, err
	s.read.early = s.read.underWay
}

// planFailedStep reads the document at once if this plan could not compute the step.
func (s *Scheduler) planFailedStep(now time.Time, p *Plan) time.Time {
	if s.step.failed && !p.ReadDocument {
		return s.planRead(now, s.ttl(), p)
	}
	return time.Time{}
}

// retryStep decides when to step again after the document was read: at once if another process was
// faster, and after a pause if the store or the document caused the failure.
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

// noteQuiet passes to the replica, before a step, which members have sent no heartbeat for half an
// Expiry. With a record clock, ClockAnswered does that.
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
