package replicatedtest

import (
	"slices"
	"time"
)

// check checks one shard's pages.
func (b *book) check(name string, p *pages, end time.Time) {
	b.checkOwners(name, p, end)
	b.checkEpochs(name, p)
	b.checkPositions(name, p)
	b.checkRecords(name, p)
	b.pauses(name, p, end)
}

// checkOwners finds two that owned the shard at once. One that was an owner before the
// store lost writes may go on until it notices that: this is no fault, but measured.
func (b *book) checkOwners(name string, p *pages, end time.Time) {
	var open []*run // those that may own it still
	for _, r := range p.runs {
		open = slices.DeleteFunc(open, func(o *run) bool { return !o.owns(end).After(r.At) })
		for _, o := range open {
			until := o.owns(end)
			switch over := until.Sub(r.At); {
			case over <= 0:
			case o.era != r.era:
				b.report.Overlap = max(b.report.Overlap, over)
			default:
				b.report.fault("shard %s: two owners for %v: %s started at %s, and %s owned it until %s",
					name, over, r.token(), clock(r.At), o.token(), clock(until))
			}
		}
		open = append(open, r)
	}
}

func clock(t time.Time) string { return t.Format("15:04:05.000000") }

// checkEpochs finds an epoch that was given twice, or that is lower than one before.
// After the store has lost writes epochs may begin again, but nobody else gets the
// token of another.
func (b *book) checkEpochs(name string, p *pages) {
	owners := map[token]bool{}
	var before *run
	for _, r := range p.runs {
		again := before != nil && before.token() == r.token()
		switch {
		case again: // a restarted processor
		case owners[r.token()]:
			b.report.fault("shard %s: %s started a second time, after others", name, r.token())
		case before != nil && before.era == r.era && r.Epoch <= before.Epoch:
			b.report.fault("shard %s: %s started after %s", name, r.token(), before.token())
		}
		owners[r.token()] = true
		before = r
	}
}

// checkPositions finds an owner that started from less than what was accepted of an
// earlier one. Owners come in the order of their starts, not of their commits, so that
// an acknowledgement which a frozen process noted late is no fault.
func (b *book) checkPositions(name string, p *pages) {
	var highest *run
	for _, r := range p.runs {
		same := highest != nil && highest.era == r.era && highest.group == r.group
		if same && r.Position < highest.high {
			b.report.fault("shard %s: %s started from %d after %s had committed %d",
				name, r.token(), r.Position, highest.token(), highest.high)
		}
		if !same || r.high >= highest.high {
			highest = r
		}
	}
}

// checkRecords finds records that were committed, and that nobody has processed.
func (b *book) checkRecords(name string, p *pages) {
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
		b.report.Lost += lost
		b.report.fault("shard %s: %d of %d records were committed and never processed; the first is %d", name, lost, high, first)
	}
}

// pauses finds the times when nobody worked on the shard, from its first start on.
func (b *book) pauses(name string, p *pages, end time.Time) {
	var idle time.Time // since when nobody has; zero: nobody ever has
	for _, r := range p.runs {
		if !idle.IsZero() && r.At.After(idle) {
			b.report.pauses = append(b.report.pauses, pause{shard: name, from: idle, to: r.At})
		}
		if until := r.works(end); until.After(idle) {
			idle = until
		}
	}
	if idle.Before(end) {
		b.report.Unowned = append(b.report.Unowned, name)
		if !idle.IsZero() {
			b.report.pauses = append(b.report.pauses, pause{shard: name, from: idle, to: end})
		}
	}
}
