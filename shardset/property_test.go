package shardset

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "replay this seed of TestRandomEvents")

// TestRandomEvents sends a Tracker through whatever may happen, in any order, and
// holds each plan against a model that only obeys: see world.
func TestRandomEvents(t *testing.T) {
	first, last := uint64(1), uint64(200)
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	} else if testing.Short() {
		last = 20
	}
	var sum endings
	again := 0
	for seed := first; seed <= last; seed++ {
		w := randomEvents(seed, false)
		sum.counted += w.endings.counted
		sum.waited += w.endings.waited
		again += w.closed.again
		if w.err != nil {
			w = randomEvents(seed, true) // the same again, this time writing it down
			tail := w.log[max(0, len(w.log)-30):]
			t.Fatalf("seed %d: %v\nthe last events:\n%s\nreplay with: go test -run TestRandomEvents -seed %d",
				seed, w.err, strings.Join(tail, "\n"), seed)
		}
	}
	if n := int(last - first); n > 100 && (sum.counted < 2*n || sum.waited < n/2) {
		t.Errorf("%d finite runs ended by the service's word and %d by waiting: too few to mean anything", sum.counted, sum.waited)
	}
	if n := int(last - first); n > 100 && again < n {
		t.Errorf("%d closed shards were started again: too few to mean anything", again)
	}
}

func randomEvents(seed uint64, verbose bool) *world {
	const steps = 2000
	w := &world{rnd: rand.New(rand.NewPCG(seed, 0)), now: time.Now(), epochs: map[ID]uint64{}, verbose: verbose}
	w.member()
	for range steps {
		w.step()
		if w.err == nil {
			w.check()
		}
		if w.err != nil {
			return w
		}
	}
	w.settle()
	return w
}

// world is one member as the protocol wants it: it obeys plans, never looks into
// the Tracker, and has its own idea of the lease and of what runs.
type world struct {
	rnd *rand.Rand
	now time.Time
	err error

	verbose bool
	log     []string

	cfg    TrackerConfig
	tr     *Tracker
	runs   map[ID]*run     // goroutines that have not returned
	last   map[ID]returned // how the last run of a shard ended
	epochs map[ID]uint64   // what the service counts
	grants []Grant         // what it granted last
	gen    uint64

	beats     []time.Time // when each heartbeat left; number 1 is at 0
	voidUpTo  uint64      // answers to heartbeats up to this one must not count
	answered  uint64
	deadline  time.Time // of the lease; zero: none
	wakeAt    time.Time
	joinEmpty bool // evicted, and not yet back
	leaveAt   time.Time
	over      bool // left, or replaced

	end     finiteEnd
	endings endings
	closed  closed
}

type run struct {
	epoch     uint64
	started   time.Time
	revoked   time.Time // zero: was never asked to finish
	cancelled time.Time
	cause     Cause
	stuck     bool
}

type returned struct {
	at      time.Time
	seq     uint64 // of the newest heartbeat then
	outcome Outcome
	epoch   uint64
	cause   Cause
}

// member makes a fresh member in a fresh process.
func (w *world) member() {
	w.cfg = TrackerConfig{
		Instance: uint64(w.rnd.IntN(2) * 7), Interval: time.Second, Fast: 100 * time.Millisecond,
		FirmInterval: w.rnd.IntN(2) == 0,
		DrainTimeout: time.Duration(w.rnd.IntN(4)) * time.Second, StuckAfter: time.Second,
		RestartPause: time.Second, CanLeave: w.rnd.IntN(2) == 0,
		Finite: w.rnd.IntN(2) == 0, Completion: w.rnd.IntN(2) == 0,
	}
	*w = world{
		rnd: w.rnd, now: w.now, verbose: w.verbose, log: w.log, epochs: w.epochs, gen: w.gen, cfg: w.cfg,
		tr: NewTracker(w.cfg), runs: map[ID]*run{}, last: map[ID]returned{},
		end: finiteEnd{complete: map[ID]uint64{}, calm: w.cfg.Finite && w.rnd.IntN(2) == 0}, endings: w.endings,
		closed: closed{shards: map[ID]*closedShard{}, again: w.closed.again},
	}
}

func (w *world) leaving() bool { return !w.leaveAt.IsZero() }
func (w *world) seq() uint64   { return uint64(len(w.beats)) }

func (w *world) step() {
	if w.over {
		w.member()
	}
	// Now and then the process is frozen, and wakes up late.
	pause := time.Duration(w.rnd.Int64N(int64(400 * time.Millisecond)))
	frozen := w.rnd.IntN(50) == 0
	if frozen {
		pause = time.Duration(w.rnd.Int64N(int64(10 * time.Second)))
	}
	next := w.now.Add(pause)
	for !frozen && !w.wakeAt.IsZero() && !next.Before(w.wakeAt) && !w.over {
		if w.now.Before(w.wakeAt) {
			w.now = w.wakeAt
		}
		w.event("tick")
		w.obey(w.tr.Tick(w.now), 0)
		if w.err != nil {
			return
		}
	}
	w.now = next
	if w.over {
		return
	}
	switch w.rnd.IntN(40) {
	default:
		w.beat()
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13:
		w.answer(w.seq())
	case 14, 15, 16:
		w.answer(w.seq() - w.rnd.Uint64N(3))
	case 17, 18, 19, 20, 21, 22, 23, 24:
		w.finish()
	case 25:
		w.event("tick")
		w.obey(w.tr.Tick(w.now), 0)
	case 26:
		if w.rnd.IntN(2) == 0 {
			w.event("failed")
			w.obey(w.tr.Tick(w.now), 0)
			return
		}
		w.event("refused")
		p, final := w.tr.Refused(w.now)
		w.obey(p, 0)
		if final && w.leased() {
			w.fail("a refusal is final under a lease")
		}
	case 27:
		w.lost()
	case 28:
		if w.rnd.IntN(5) == 0 && !w.leaving() {
			w.leave()
		}
	}
}

func (w *world) leave() {
	w.event("leave")
	w.leaveAt = w.now
	clear(w.end.complete)
	clear(w.closed.shards)
	w.obey(w.tr.Leave(w.now), 0)
}

func (w *world) leased() bool { return !w.deadline.IsZero() && w.now.Before(w.deadline) }

func (w *world) event(format string, args ...any) {
	if w.verbose {
		w.log = append(w.log, fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) {
	w.err = errors.Join(w.err, fmt.Errorf(format, args...))
}
