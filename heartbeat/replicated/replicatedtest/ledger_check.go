package replicatedtest

import (
	"slices"
	"time"
)

// check checks the history of one shard.
func (a *audit) check(name string, p *shardHistory, end time.Time) {
	a.checkOwners(name, p, end)
	a.checkEpochs(name, p)
	a.checkPositions(name, p)
	a.checkRecords(name, p)
	a.pauses(name, p, end)
}

// checkOwners finds two owners at once. When the store loses writes, a run from before the
// loss may go on until it notices. That is no fault, but Report.Overlap measures it.
func (a *audit) checkOwners(name string, p *shardHistory, end time.Time) {
	var open []*run // runs that may still own the shard
	for _, r := range p.runs {
		open = slices.DeleteFunc(open, func(o *run) bool { return !o.owns(end).After(r.At) })
		for _, o := range open {
			until := o.owns(end)
			switch over := until.Sub(r.At); {
			case over <= 0:
			case o.era != r.era:
				a.report.Overlap = max(a.report.Overlap, over)
			default:
				a.report.fault("shard %s: two owners for %v: %s started at %s, and %s owned it until %s",
					name, over, r.token(), clock(r.At), o.token(), clock(until))
			}
		}
		open = append(open, r)
	}
}

func clock(t time.Time) string { return t.Format("15:04:05.000000") }

// checkEpochs finds an epoch that was granted twice, or that is lower than the one before.
// After the store has lost writes, epochs may be lower, but no token may be granted again.
func (a *audit) checkEpochs(name string, p *shardHistory) {
	owners := map[token]bool{}
	var before *run
	for _, r := range p.runs {
		again := before != nil && before.token() == r.token()
		switch {
		case again: // a restarted processor
		case owners[r.token()]:
			a.report.fault("shard %s: %s started a second time, after other owners", name, r.token())
		case before != nil && before.era == r.era && r.Epoch <= before.Epoch:
			a.report.fault("shard %s: %s started after %s", name, r.token(), before.token())
		}
		owners[r.token()] = true
		before = r
	}
}

// checkPositions finds a run that started below an accepted position of an earlier run. It
// compares runs in the order of their starts, whatever the order of their commits. So it
// is no fault if a frozen process notes a commit late.
func (a *audit) checkPositions(name string, p *shardHistory) {
	var highest *run
	for _, r := range p.runs {
		same := highest != nil && highest.era == r.era && highest.group == r.group
		if same && r.Position < highest.high {
			a.report.fault("shard %s: %s started from %d after %s had committed %d",
				name, r.token(), r.Position, highest.token(), highest.high)
		}
		if !same || r.high >= highest.high {
			highest = r
		}
	}
}

// checkRecords finds records that were committed and never processed.
func (a *audit) checkRecords(name string, p *shardHistory) {
	high, lost, first := uint64(0), 0, uint64(0)
	for _, r := range p.runs {
		high = max(high, r.high)
	}
	for n := range high {
		if n < uint64(len(p.times)) && p.times[n] > 0 {
			continue
		}
		if lost++; lost == 1 {
			first = n
		}
	}
	if lost > 0 {
		a.report.Lost += lost
		a.report.fault("shard %s: %d of %d records were committed and never processed; the first is %d", name, lost, high, first)
	}
}

// pauses finds the times after the first start when no processor worked on the shard.
func (a *audit) pauses(name string, p *shardHistory, end time.Time) {
	var idle time.Time // since when no processor works on it; zero: none has started
	for _, r := range p.runs {
		if !idle.IsZero() && r.At.After(idle) {
			a.report.pauses = append(a.report.pauses, pause{shard: name, from: idle, to: r.At})
		}
		if until := r.works(end); until.After(idle) {
			idle = until
		}
	}
	if idle.Before(end) {
		a.report.Unowned = append(a.report.Unowned, name)
		if !idle.IsZero() {
			a.report.pauses = append(a.report.pauses, pause{shard: name, from: idle, to: end})
		}
	}
}
