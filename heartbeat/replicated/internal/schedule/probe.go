package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// probeState is what is known of probes.
type probeState struct {
	at      time.Time // when the next probes are made; zero: to be chosen
	reading map[string]bool
	found   map[string]probeResult
}

// probeResult is a version of a record that a probe has found, and when it was found first.
type probeResult struct {
	revision uint64
	at       time.Time
}

// planProbes reads records, in a process that is not shown all of them. The processes that watch
// may have died together with a member, or their watches may not work. So twice in a TTL each
// process reads the record of the member behind each of its own, in a ring by name: each member
// is probed, at one small read. If one has expired, the process watches all records for a while.
// Its tombstone is as safe as any other, because it is a swap of the version that has not
// changed. Probes also find members without a record, of which a record clock knows nothing.
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

// Probed takes what a probe of the plan has found: nil if there is no record, the zero Record
// for one that cannot be read. With an error nothing is known.
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
	default: // a later instance, that may have died before it was a member
		v = state.Tombstone{Member: name, Instance: r.Instance, Revision: revision}
	}
	if expired {
		// Those that should have noticed have not: there may be more.
		s.role.until = now.Add(3 * s.replica.TTL())
		s.expire(v)
	}
}
