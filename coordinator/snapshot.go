package coordinator

import (
	"errors"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/shardset"
)

// snapshot returns the current status, or the last one if the owner has ended.
func (r *run) snapshot() (s Status) {
	if r.do(func() { s = r.status(r.state()) }) {
		return s
	}
	s = r.final
	s.Shards = slices.Clone(s.Shards)
	return s
}

// state returns the member's state. Owner only.
func (r *run) state() State {
	switch {
	case !r.stopBy.IsZero():
		return StateLeaving
	case r.lease == nil:
		return StateJoining
	}
	return StateRunning
}

// status builds a snapshot. Owner only, or after the owner has ended.
func (r *run) status(state State) Status {
	s := Status{
		Group: r.info.Group, Guarantees: r.guarantees, Member: r.cfg.Member,
		Instance: r.tracker.Instance(), Generation: r.tracker.Generation(),
		State: state, LastHeartbeat: r.lastBeat, HeartbeatErrors: r.beatErrors, LastError: r.lastErr,
		Counters: r.rec.counters(),
	}
	if state != StateStopped {
		s.degrade(r.watchDownAt, r.watchErr)
	}
	if r.failure != nil {
		s.LastError = r.failure
	}
	if r.lease != nil {
		s.LeaseUntil = r.lease.NotAfter()
	}
	shards := r.tracker.Shards()
	s.Shards = make([]ShardStatus, len(shards))
	for i, sh := range shards {
		s.Shards[i] = r.shardStatus(sh)
	}
	return s
}

func (r *run) shardStatus(sh shardset.ShardState) ShardStatus {
	var st runner.Status
	if run := r.runs[sh.ID]; run != nil {
		st = run.Status()
	}
	stalledSince, stalled := r.stalled[sh.ID]
	s := ShardStatus{
		ID: sh.ID, Epoch: sh.Epoch, State: shardState(sh.State, st.Phase, r.stuck[sh.ID] || stalled), Since: sh.Since,
		Restarts: st.Restarts, LastError: st.LastError, Position: st.Position, CommittedAt: st.CommittedAt,
		Progress: st.Progress, Poison: st.Poison, Gaps: st.Gaps,
	}
	switch {
	case r.stuck[sh.ID]:
	case stalled:
		s.Since = stalledSince
	case sh.State == shardset.StateHeld && !st.Since.IsZero():
		s.Since = st.Since // of the phase
	}
	return s
}

// degrade adds a part that does not work. A nil error adds nothing.
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
