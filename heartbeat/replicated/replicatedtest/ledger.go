package replicatedtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// LedgerConfig says what a Ledger is to expect.
type LedgerConfig struct {
	// Shards are those that should be owned, as shardset.ID.String writes them. Nil
	// means those that ever were.
	Shards []string
	// Skew is how far apart the clocks of the members' machines may be. Zero means
	// that they have one clock.
	Skew time.Duration
}

// Ledger holds what the members of a group did, told from outside, and checks what has
// to be true of the whole: see Report. Safe for concurrent use.
type Ledger struct {
	cfg LedgerConfig

	mu     sync.Mutex // guards events
	events []Event
}

// NewLedger returns an empty ledger.
func NewLedger(cfg LedgerConfig) *Ledger { return &Ledger{cfg: cfg} }

// Note writes an event down. Events of different processes may come in any order; those
// of one processor have to come in theirs.
func (l *Ledger) Note(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// Report checks all that was noted, up to the time end.
func (l *Ledger) Report(end time.Time) Report {
	l.mu.Lock()
	events := slices.Clone(l.events)
	l.mu.Unlock()
	slices.SortStableFunc(events, func(a, b Event) int { return a.At.Compare(b.At) })

	b := newBook(l.cfg)
	for _, e := range events {
		b.take(e)
	}
	for _, name := range slices.Sorted(maps.Keys(b.shards)) {
		b.check(name, b.shards[name], end)
	}
	slices.SortFunc(b.report.Pauses, func(a, b Pause) int {
		return cmp.Or(cmp.Compare(b.Length(), a.Length()), cmp.Compare(a.Shard, b.Shard))
	})
	return b.report
}

// run is one call of Process.
type run struct {
	Event            // EventStarted, with the newest NotAfter
	era    int       // how often the store had lost writes before
	group  int       // how often the group had been deleted before
	ended  time.Time // returned or cancelled; zero: neither
	gone   time.Time // its process was killed or frozen; zero: it was not
	freed  time.Time // after that, a new process had its name; zero: none had
	high   uint64    // the highest position that was accepted of it
	closed bool      // it has returned
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

func (e Event) token() token { return token{e.Member, e.Instance, e.Epoch} }

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
	cfg    LedgerConfig
	shards map[string]*pages
	left   map[string][]*run // by member: runs of processes that are gone
	era    int
	group  int
	report Report
}

func newBook(cfg LedgerConfig) *book {
	b := &book{cfg: cfg, shards: map[string]*pages{}, left: map[string][]*run{}}
	for _, name := range cfg.Shards {
		b.shards[name] = &pages{}
	}
	return b
}

// take reads one event.
func (b *book) take(e Event) {
	switch e.Kind {
	case EventLostWrites:
		b.era++
		return
	case EventDeleted:
		b.group++
		return
	case EventJoined:
		b.freed(e)
		return
	case EventGone:
		b.gone(e)
		return
	}
	p := b.shards[e.Shard]
	if p == nil {
		p = &pages{}
		b.shards[e.Shard] = p
	}
	if e.Kind == EventStarted {
		b.report.Starts++
		b.freed(e)
		p.runs = append(p.runs, &run{Event: e, era: b.era, group: b.group, high: e.Position})
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
func (b *book) happened(p *pages, r *run, e Event) {
	switch e.Kind {
	case EventProcessed:
		b.processed(p, r, e)
	case EventCommitted:
		b.report.Commits++
		if e.Position < r.high {
			b.report.fault("shard %s: %s committed %d after %d", e.Shard, e.token(), e.Position, r.high)
		}
		r.high = max(r.high, e.Position)
	case EventCancelled, EventReturned:
		if r.ended.IsZero() {
			r.ended = e.At
		}
		r.closed = r.closed || e.Kind == EventReturned
	}
}

func (b *book) processed(p *pages, r *run, e Event) {
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
func (b *book) gone(e Event) {
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
func (b *book) freed(e Event) {
	b.left[e.Member] = slices.DeleteFunc(b.left[e.Member], func(r *run) bool {
		if r.Instance == e.Instance {
			return false
		}
		r.freed = e.At
		return true
	})
}
