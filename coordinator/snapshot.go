package coordinator

import (
	"errors"
	"slices"
	"time"
)

// snapshot returns the status, by the owner while there is one.
func (r *run) snapshot() (s Status) {
	if r.do(func() { s = r.status(r.state()) }) {
		return s
	}
	s = r.final
	s.Shards = slices.Clone(s.Shards)
	return s
}

// state says what the run is doing. Owner only.
func (r *run) state() State {
	switch {
	case !r.stopBy.IsZero():
		return StateLeaving
	case r.term == nil:
		return StateJoining
	}
	return StateRunning
}

// status builds a snapshot. Owner only, or after its end.
func (r *run) status(state State) Status {
	s := Status{
		Group: r.info.Group, Guarantees: r.guarantees, Member: r.cfg.Member,
		Instance: r.tracker.Instance(), Generation: r.tracker.Generation(),
		State: state, LastBeat: r.lastBeat, BeatErrors: r.beatErrors, LastError: r.lastErr,
		Counters: r.rec.counters(),
	}
	if state != StateStopped {
		s.degrade(r.watchDownAt, r.watchErr)
	}
	if r.failure != nil {
		s.LastError = r.failure
	}
	if r.term != nil {
		s.LeaseUntil = r.term.NotAfter()
	}
	shards := r.tracker.Shards()
	s.Shards = make([]ShardStatus, len(shards))
	for i, sh := range shards {
		s.Shards[i] = ShardStatus{ID: sh.ID, Epoch: sh.Epoch, State: sh.State, Since: sh.Since, Stuck: r.stuck[sh.ID]}
		if s.Shards[i].Stuck {
			s.Shards[i].StuckSince = sh.Since
		} else if since, ok := r.stalled[sh.ID]; ok {
			s.Shards[i].Stuck, s.Shards[i].StuckSince = true, since
		}
		if run := r.runs[sh.ID]; run != nil {
			s.Shards[i].Run = run.Status()
		}
	}
	return s
}

// degrade adds a part that does not work.
func (s *Status) degrade(since time.Time, err error) {
	switch {
	case err == nil:
	case s.Degraded == nil:
		s.Degraded, s.DegradedSince = err, since
	default:
		s.Degraded = errors.Join(s.Degraded, err)
		if since.Before(s.DegradedSince) {
			s.DegradedSince = since
		}
	}
}
