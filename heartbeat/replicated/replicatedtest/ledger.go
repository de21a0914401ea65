package replicatedtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ledger holds the history of a group as its members noted it, and checks that history:
// see Report. Safe for concurrent use.
type ledger struct {
	shards []string // that somebody should own, as shardset.ID.String writes them

	mu     sync.Mutex // guards events
	events []event
}

// note adds an event. The events of one processor must be added in their order; those of
// different processors need not.
func (l *ledger) note(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// report checks the history up to the time end.
func (l *ledger) report(end time.Time) Report {
	l.mu.Lock()
	events := slices.Clone(l.events)
	l.mu.Unlock()
	slices.SortStableFunc(events, func(a, b event) int { return a.At.Compare(b.At) })

	b := newBook(l.shards)
	for _, e := range events {
		b.take(e)
	}
	for _, name := range slices.Sorted(maps.Keys(b.shards)) {
		b.check(name, b.shards[name], end)
	}
	slices.SortFunc(b.report.pauses, func(a, b pause) int {
		return cmp.Or(cmp.Compare(b.length(), a.length()), cmp.Compare(a.shard, b.shard))
	})
	return b.report
}

// run is one call of Process.
type run struct {
	event           // eventStarted, with the newest NotAfter
	era   int       // how often the store had lost writes before
	group int       // how often the group had been deleted before
	ended time.Time // returned or cancelled; zero: neither
	gone  time.Time // its process was killed or frozen; zero: it was not
	freed time.Time // after that, a new process had its name; zero: none had
	high  uint64    // the highest position that was accepted of it
}

// owns returns until when a run owned its shard: to its end, to that of its lease, or
// until the group could know that its process was gone.
func (r *run) owns(end time.Time) time.Time { return soonest(end, r.ended, r.NotAfter, r.freed) }

// works returns until when it worked.
func (r *run) works(end time.Time) time.Time { return soonest(r.owns(end), r.gone) }

// soonest returns the earliest of some times. Zero means never.
func soonest(end time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	return end
}

// token is what no two grants have in common.
type token struct {
	member   string
	instance uint64
	epoch    uint64
}

func (e event) token() token { return token{e.Member, e.Instance, e.Epoch} }

func (t token) String() string {
	return fmt.Sprintf("%s (instance %d) under epoch %d", t.member, t.instance, t.epoch)
}

// pages are what a ledger knows of one shard.
type pages struct {
	runs  []*run
	times []uint16 // how often each record was processed, by number
}

// book is a ledger being read.
type book struct {
	shards map[string]*pages
	left   map[string][]*run // by member: runs of processes that are gone
	era    int
	group  int
	report Report
}

func newBook(shards []string) *book {
	b := &book{shards: map[string]*pages{}, left: map[string][]*run{}}
	for _, name := range shards {
		b.shards[name] = &pages{}
	}
	return b
}

// take reads one event.
func (b *book) take(e event) {
	switch e.Kind {
	case eventLostWrites:
		b.era++
		return
	case eventDeleted:
		b.group++
		return
	case eventJoined:
		b.freed(e)
		return
	case eventGone:
		b.gone(e)
		return
	}
	p := b.shards[e.Shard]
	if p == nil {
		p = &pages{}
		b.shards[e.Shard] = p
	}
	if e.Kind == eventStarted {
		b.report.Starts++
		b.freed(e)
		p.runs = append(p.runs, &run{event: e, era: b.era, group: b.group, high: e.Position})
		return
	}
	r := p.find(e.token())
	if r == nil {
		b.report.fault("shard %s: %s had %s it, and had never started", e.Shard, e.token(), e.Kind)
		return
	}
	if e.NotAfter.After(r.NotAfter) {
		r.NotAfter = e.NotAfter
	}
	b.happened(p, r, e)
}

// happened reads one event of a run.
func (b *book) happened(p *pages, r *run, e event) {
	switch e.Kind {
	case eventProcessed:
		b.processed(p, r, e)
	case eventCommitted:
		b.report.Commits++
		if e.Position < r.high {
			b.report.fault("shard %s: %s committed %d after %d", e.Shard, e.token(), e.Position, r.high)
		}
		r.high = max(r.high, e.Position)
	case eventCancelled, eventReturned:
		if r.ended.IsZero() {
			r.ended = e.At
		}
	}
}

func (b *book) processed(p *pages, r *run, e event) {
	b.report.Records++
	if !r.NotAfter.IsZero() && e.At.After(r.NotAfter) {
		b.report.Late++
	}
	for uint64(len(p.times)) <= e.Position {
		p.times = append(p.times, 0)
	}
	if p.times[e.Position] > 0 {
		b.report.Duplicates++
	}
	if p.times[e.Position]++; p.times[e.Position] == 0 {
		p.times[e.Position]-- // it counts no further
	}
}

// find returns the newest run under a token; nil if there is none.
func (p *pages) find(t token) *run {
	for _, r := range slices.Backward(p.runs) {
		if r.token() == t {
			return r
		}
	}
	return nil
}

// gone notes that a member's process was killed or frozen.
func (b *book) gone(e event) {
	for _, p := range b.shards {
		for _, r := range p.runs {
			if r.Member == e.Member && r.ended.IsZero() && r.gone.IsZero() {
				r.gone = e.At
				b.left[e.Member] = append(b.left[e.Member], r)
			}
		}
	}
}

// freed notes that a new process has a name: what one that is gone had under it is
// free.
func (b *book) freed(e event) {
	b.left[e.Member] = slices.DeleteFunc(b.left[e.Member], func(r *run) bool {
		if r.Instance == e.Instance {
			return false
		}
		r.freed = e.At
		return true
	})
}
