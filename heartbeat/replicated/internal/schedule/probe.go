package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// probeState is what is known of probes.
type probeState struct {
	at      time.Time // when the next probes are made; zero: not chosen yet
	reading map[string]bool
	found   map[string]probeResult
}

// probeResult is a version of a record that a probe has found, and when it was found first.
type probeResult struct {
	revision uint64
	at       time.Time
}

// planProbes probes members, in a process that does not watch all records. The processes that do
// may have ended together with a member, or their watches may not work. So twice in a TTL each
// process reads the record of the member that follows each of its own by name. This probes each
// member, at the cost of one small read. If a member has expired, the process watches all records
// for a while. Its tombstone is as safe as any other, because it replaces only the version that has
// not changed. Probes also find members without a record, which a record clock cannot find.
func (s *Scheduler) planProbes(now time.Time, ttl time.Duration, p *Plan) time.Time {
	t := &s.probe
	switch {
	case s.records.shown:
		t.at, t.found = time.Time{}, nil
		return time.Time{}
	case len(t.reading) > 0:
		return time.Time{}
	case t.at.IsZero():
		t.at = now.Add(s.jitter(ttl / 2))
		return t.at
	case now.Before(t.at):
		return t.at
	}
	t.at = now.Add(s.jitter(ttl / 2))
	p.Probe = s.replica.NextMembers(s.mine)
	found := map[string]probeResult{}
	for _, name := range p.Probe {
		t.reading[name] = true
		if old, ok := t.found[name]; ok {
			found[name] = old
		}
	}
	t.found = found
	return t.at
}

// Probed takes the result of a probe of the plan. rec is nil if there is no record, and the zero
// Record if it cannot be read. If err is not nil, the result is ignored.
func (s *Scheduler) Probed(now time.Time, name string, revision uint64, rec *state.Record, err error) {
	t := &s.probe
	delete(t.reading, name)
	if err != nil || t.found == nil {
		return
	}
	var r state.Record
	if rec == nil {
		revision = 0
	} else {
		r = *rec
	}
	f := t.found[name]
	if f.at.IsZero() || f.revision != revision {
		f = probeResult{revision: revision, at: now}
		t.found[name] = f
	}
	expired := now.After(f.at.Add(s.replica.Expiry()))
	v, alive := s.replica.Expire(name, revision, &r)
	switch {
	case alive:
	case s.replica.Instance(name) == 0 || r.Standing == 0:
		return
	case r.Standing != state.StandingAlive:
		s.observeEnd(now, name, revision, rec)
		return
	default: // a later instance, which may have ended before it became a member
		v = state.Tombstone{Member: name, Instance: r.Instance, Revision: revision}
	}
	if expired {
		// The processes that watch all records have missed this member, and may miss others.
		s.role.until = now.Add(3 * s.replica.TTL())
		s.expire(v)
	}
}
