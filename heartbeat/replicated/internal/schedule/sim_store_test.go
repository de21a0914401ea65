package schedule

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// world is processes on one store, in simulated time. It runs one event after the other.
type world struct {
	rng     *rand.Rand
	mutant  mutant
	now     time.Duration // true time
	queue   events
	numbers int
	faulty  bool // requests and answers get lost, watches lag

	revision   uint64
	document   version
	generation uint64
	records    map[string]version
	memberAt   map[string]time.Duration // since when the document has a member
	watches    []*simWatch
	procs      []*proc
	members    []*simMember
	instances  uint64
	owners     map[string]string // who was granted a shard under an epoch
	clocked    bool
	traffic    traffic
	harm       error // the first invariant that does not hold
}

// version is one version of a key in the store. No data: there is nothing.
type version struct {
	revision uint64
	data     []byte
	at       time.Duration
}

// traffic is what the processes have cost the store.
type traffic struct {
	documents, reads, records, conflicts, refused, tombstones, probes, questions, deletes int
}

type event struct {
	at     time.Duration
	number int
	do     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].number < q[j].number
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(e any)   { *q = append(*q, e.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// after has something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.numbers++
	heap.Push(&w.queue, event{w.now + max(d, 0), w.numbers, do})
}

// run runs until a time, or until something is wrong.
func (w *world) run(until time.Duration) {
	for len(w.queue) > 0 && w.queue[0].at <= until && w.harm == nil {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	w.now = max(w.now, until)
}

// fail notes an invariant that does not hold.
func (w *world) fail(format string, args ...any) {
	if w.harm == nil {
		w.harm = fmt.Errorf("at %v: %s", w.now, fmt.Sprintf(format, args...))
	}
}

// upTo returns a random time.
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

// swapDocument is a compare-and-swap of the document.
func (w *world) swapDocument(over uint64, data []byte) (uint64, bool) {
	if w.document.revision != over && w.mutant != blindDocument {
		w.traffic.conflicts++
		return 0, false
	}
	d, err := state.DecodeDocument(data)
	if err != nil {
		w.fail("a document that cannot be read was written: %v", err)
		return 0, false
	}
	if g := d.Group.State().Generation; g < w.generation {
		w.fail("the document went back from generation %d to %d", w.generation, g)
	} else {
		w.generation = g
	}
	since := map[string]time.Duration{}
	for _, m := range d.Group.Snapshot().Members {
		since[m.Name] = w.now
		if at, ok := w.memberAt[m.Name]; ok {
			since[m.Name] = at
		}
	}
	w.memberAt = since
	w.revision++
	w.traffic.documents++
	w.document = version{w.revision, data, w.now}
	w.show("", w.document)
	return w.revision, true
}

// swapRecord is a compare-and-swap of a record.
func (w *world) swapRecord(name string, over uint64, data []byte, quiet bool) (uint64, bool) {
	old := w.records[name]
	if old.revision != over && (over != 0 || len(old.data) > 0) {
		w.traffic.conflicts++
		return 0, false
	}
	return w.putRecord(name, data, quiet), true
}

func (w *world) putRecord(name string, data []byte, quiet bool) uint64 {
	w.revision++
	w.traffic.records++
	v := version{w.revision, data, w.now}
	w.records[name] = v
	if !quiet {
		w.show(name, v)
	}
	return v.revision
}

// swapTombstone is swapRecord of a tombstone: its member has been silent for its whole lease.
func (w *world) swapTombstone(t state.Tombstone) (uint64, bool) {
	w.traffic.tombstones++
	old := w.records[t.Member]
	if old.revision != t.Revision && (t.Revision != 0 || len(old.data) > 0) && w.mutant != blindTombstones {
		w.traffic.refused++
		w.traffic.conflicts++
		return 0, false
	}
	since := old.at
	if len(old.data) == 0 {
		since = w.memberAt[t.Member]
	}
	if silent := w.now - since; silent < simTTL-simTTL/50 {
		w.fail("%s was expired after %v of silence", t.Member, silent)
	}
	for _, m := range w.members {
		if m.name == t.Member && m.instance == t.Instance && m.believes() {
			w.fail("%s was expired while its lease runs", t.Member)
		}
	}
	return w.putRecord(t.Member, t.Encode(), false), true
}

func (w *world) deleteRecord(name string, over uint64) bool {
	w.traffic.deletes++
	old := w.records[name]
	if old.revision != over && w.mutant != blindDeletes {
		return false
	}
	if age := w.now - old.at; age < simTTL {
		w.fail("the record of %s was deleted at an age of %v", name, age)
	}
	w.revision++
	w.records[name] = version{revision: w.revision, at: w.now}
	w.show(name, w.records[name])
	return true
}

// older returns the records that are older than age, and how long it takes until the next is.
func (w *world) older(age time.Duration) (old []OldRecord, next time.Duration) {
	next = -1
	for name, v := range w.records {
		left := age - (w.now - v.at)
		switch {
		case len(v.data) == 0:
		case left < 0:
			o := OldRecord{Name: name, Revision: v.revision}
			if rec, err := state.DecodeRecord(name, v.data); err == nil {
				o.Record = rec
			}
			old = append(old, o)
		case next < 0 || left < next:
			next = left
		}
	}
	slices.SortFunc(old, func(a, b OldRecord) int { return strings.Compare(a.Name, b.Name) })
	return old, next
}

// simWatch is a watch of the document, or of the records.
type simWatch struct {
	p       *proc
	records bool
	over    bool
	shownAt time.Duration            // changes come after what was there
	lastAt  map[string]time.Duration // versions of one key come in order
}

// show tells the watches of a change. Versions of several keys may come in any order.
func (w *world) show(name string, v version) {
	for _, x := range w.watches {
		if x.records == (name != "") {
			x.deliver(name, v, max(x.shownAt, w.now)+w.lag(x.p))
		}
	}
}

func (w *world) lag(p *proc) time.Duration {
	lag := time.Millisecond + w.upTo(4*time.Millisecond)
	if w.faulty && w.rng.IntN(10) == 0 {
		lag += w.upTo(simTTL / 10)
	}
	return lag + max(p.deafUntil-w.now, 0)
}

func (x *simWatch) deliver(name string, v version, at time.Duration) {
	at = max(at, x.lastAt[name])
	x.lastAt[name] = at
	x.p.w.after(at-x.p.w.now, func() {
		x.p.event(func(now time.Time) {
			if x.over {
				return
			}
			if !x.records {
				if len(v.data) > 0 {
					_ = x.p.s.DocumentSeen(now, x.p.decode(v))
				}
				return
			}
			x.p.s.RecordSeen(now, name, v.revision, decodeSim(name, v))
		})
	})
}

func decodeSim(name string, v version) *state.Record {
	if len(v.data) == 0 {
		return nil
	}
	rec, err := state.DecodeRecord(name, v.data)
	if err != nil {
		panic(err)
	}
	return &rec
}

// watch starts a watch: first comes what is there.
func (w *world) watch(p *proc, records bool) *simWatch {
	x := &simWatch{p: p, records: records, lastAt: map[string]time.Duration{}}
	end := w.now
	show := func(name string, v version) {
		x.deliver(name, v, w.now+w.lag(p))
		end = max(end, x.lastAt[name])
	}
	if records {
		for _, name := range slices.Sorted(maps.Keys(w.records)) {
			if v := w.records[name]; len(v.data) > 0 {
				show(name, v)
			}
		}
	} else if len(w.document.data) > 0 {
		show("", w.document)
	}
	x.shownAt = end
	w.watches = append(w.watches, x)
	w.after(end-w.now, func() {
		p.event(func(now time.Time) {
			switch {
			case x.over:
			case records:
				p.s.RecordWatchWorked(now)
			default:
				p.s.DocumentWatchWorked()
			}
		})
	})
	return x
}

// end ends a watch, of which its process hears a moment later.
func (w *world) end(x *simWatch, err error) {
	w.watches = slices.DeleteFunc(w.watches, func(y *simWatch) bool { return x == y })
	w.after(w.upTo(2*time.Millisecond), func() {
		x.p.event(func(now time.Time) {
			if x.over {
				return
			}
			x.over = true
			if x.records {
				x.p.recordWatch = nil
				x.p.s.RecordWatchEnded(now, err)
			} else {
				x.p.documentWatch = nil
				x.p.s.DocumentWatchEnded(now, err)
			}
		})
	})
}
