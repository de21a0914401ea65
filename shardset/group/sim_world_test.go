package group_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

const (
	simTTL      = 6 * time.Second
	simInterval = 1500 * time.Millisecond
	simStorm    = 40 * time.Second // how long things change and break
	simEnd      = 40               // records of a shard, where the work has an end
	// simHeal is how long after the last fault every shard must have a live owner.
	simHeal = 2*simTTL + 2*simInterval
)

// simStart is the service's clock at simulated zero. It is late enough for the
// clock of a member to lie before it, and its nanoseconds make a first epoch.
var simStart = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// scenario is one run: the same scenario always gives the same history.
type scenario struct {
	seed   uint64
	faults bool // false: members join and leave as planned, and nothing breaks
	finite bool // the work has an end
	mutant mutant
	harm   string // look for this kind of violation only
	trace  bool
}

// stats counts what happened, so that a simulation in which nothing does fails.
type stats struct {
	steps, lost, doubled, crashes, freezes, cuts, leaves, restarts, deaf         int
	lapses, evictions, commits, fenced, handovers, adopted, failures, staleBeats int
	flaps, finishes                                                              int
}

func (s *stats) add(o stats) {
	s.steps += o.steps
	s.lost += o.lost
	s.doubled += o.doubled
	s.crashes += o.crashes
	s.freezes += o.freezes
	s.cuts += o.cuts
	s.leaves += o.leaves
	s.restarts += o.restarts
	s.deaf += o.deaf
	s.lapses += o.lapses
	s.evictions += o.evictions
	s.commits += o.commits
	s.fenced += o.fenced
	s.handovers += o.handovers
	s.adopted += o.adopted
	s.failures += o.failures
	s.staleBeats += o.staleBeats
	s.flaps += o.flaps
	s.finishes += o.finishes
}

// world is one service, its members, the network between them and the log that
// they process.
type world struct {
	sc     scenario
	rng    *rand.Rand
	now    time.Duration
	events eventQueue
	order  uint64
	quiet  bool // the faults are over

	group        *group.Group
	snap         group.Snapshot // after the last event of the service
	last         map[shardset.ID]group.ShardInfo
	out          map[shardset.ID]bool // shards that are taken out of the list for now
	alarm        time.Duration        // when the service wakes for an expiry
	recoverUntil time.Duration
	shards       []shardset.ID
	cells        map[shardset.ID]*cell

	procs []*proc // every process that ever was
	names int
	stats stats
	err   error
	lines []string
}

// simulate runs one scenario and returns the first violation.
func simulate(sc scenario) (*world, error) {
	w := &world{sc: sc, rng: rand.New(rand.NewPCG(sc.seed, 0x726f6c6c)), cells: map[shardset.ID]*cell{}, out: map[shardset.ID]bool{}}
	for _, s := range shardset.Range("", 1+w.rng.IntN(12)) {
		id := s.ID
		w.shards = append(w.shards, id)
		w.cells[id] = &cell{starts: map[uint64]*run{}}
	}
	w.startService(false)
	for range 1 + w.rng.IntN(4) {
		w.after(w.between(0, 2*time.Second), func() { w.startProc(w.newName()) })
	}
	w.after(w.between(0, 3*time.Second), w.trouble)
	w.run(simStorm)
	w.heal()
	if sc.finite {
		w.run(simStorm + simHeal + time.Minute)
		w.checkFinished()
		return w, w.err
	}
	w.run(simStorm + simHeal)
	w.checkOwned()
	w.run(simStorm + simHeal + 2*simInterval)
	w.checkWorking()
	return w, w.err
}

func (w *world) run(until time.Duration) {
	for w.err == nil && w.step(until) {
	}
	w.now = until
}

// serviceTime is the time on the service's clock, the one that runs true.
func (w *world) serviceTime() time.Time { return simStart.Add(w.now) }

// startService makes an empty group: at first, or again without its state.
func (w *world) startService(again bool) {
	cfg := group.Config{TTL: simTTL}
	if again {
		cfg.FirstEpoch = uint64(w.serviceTime().UnixNano())
	}
	g, err := group.New(cfg)
	if err != nil {
		w.fail("group.New: %v", err)
		return
	}
	w.group, w.last = g, map[shardset.ID]group.ShardInfo{}
	if again {
		g.Recover(w.serviceTime())
		w.recoverUntil = w.now + simTTL
		w.stats.restarts++
		w.log("service restarts without state")
	}
	w.setShards()
}

// setShards tells the service the list of shards.
func (w *world) setShards() {
	var list []shardset.Shard
	for _, id := range w.shards {
		if !w.out[id] {
			list = append(list, shardset.Shard{ID: id})
		}
	}
	if err := w.group.SetShards(w.serviceTime(), list); err != nil {
		w.fail("SetShards: %v", err)
	}
	w.served()
}

// flap takes a shard out of the list and puts it back, as a list that is read from a
// busy service may do.
func (w *world) flap() {
	id := w.shards[w.rng.IntN(len(w.shards))]
	w.log("shard %s is taken out", id)
	w.stats.flaps++
	w.out[id] = true
	w.setShards()
	w.after(w.between(10*time.Millisecond, simTTL), func() {
		w.log("shard %s is put back", id)
		delete(w.out, id)
		w.setShards()
	})
}

// served follows every event of the service: it checks the group, wakes whose
// answers changed, and sets the alarm for the next expiry.
func (w *world) served() {
	w.checkGroup()
	for _, name := range w.group.TakeChanged() {
		for _, p := range w.procs {
			if p.name == name && p.alive && w.chance(0.5) && !w.lost(p) {
				w.after(w.delay(), func() { p.when(p.beatNow) })
			}
		}
	}
	next := w.group.NextEvent()
	if next.IsZero() {
		return
	}
	at := max(next.Sub(simStart), w.now+time.Millisecond)
	if at == w.alarm {
		return
	}
	w.alarm = at
	w.after(at-w.now, func() {
		if w.alarm == w.now {
			w.group.Expire(w.serviceTime())
			w.served()
		}
	})
}

// trouble is a random planned change or fault, and the time until the next.
func (w *world) trouble() {
	if w.quiet {
		return
	}
	w.after(w.between(500*time.Millisecond, 6*time.Second), w.trouble)
	var live []*proc
	for _, p := range w.procs {
		if p.alive && !p.leaving {
			live = append(live, p)
		}
	}
	if len(live) == 0 || len(live) < 5 && w.chance(0.25) {
		w.startProc(w.newName())
		return
	}
	p := live[w.rng.IntN(len(live))]
	if !w.sc.faults || w.chance(0.2) {
		if len(live) > 1 || w.sc.faults {
			p.when(p.leave)
		}
		return
	}
	switch w.rng.IntN(7) {
	case 0:
		w.crash(p)
	case 1, 2:
		d := w.between(100*time.Millisecond, 3*simTTL)
		if w.chance(0.5) {
			d = w.between(simTTL/2, simTTL) // about as long as a lease: the interesting moment
		}
		p.freeze(d)
	case 3:
		w.stats.cuts++
		p.cutUntil = w.now + w.between(time.Second, 2*simTTL)
		w.log("%s is cut off until %v", p, p.cutUntil)
	case 4:
		p.deafUntil = w.now + w.between(time.Second, 3*simTTL)
		w.log("%s is deaf until %v", p, p.deafUntil)
	case 5:
		if w.chance(0.5) {
			w.startService(true)
		}
	case 6:
		w.flap()
	}
}

// crash ends a process and everything in it but its messages, and starts another.
func (w *world) crash(p *proc) {
	w.log("%s crashes", p)
	w.stats.crashes++
	p.alive = false
	name := p.name
	if w.chance(0.5) {
		name = w.newName()
	}
	w.after(w.between(10*time.Millisecond, 2*simTTL), func() { w.startProc(name) })
}

// heal ends all faults.
func (w *world) heal() {
	w.quiet = true
	clear(w.out)
	w.setShards()
	live := false
	for _, p := range w.procs {
		p.cutUntil, p.deafUntil = 0, 0
		p.wake()
		live = live || p.alive && !p.leaving
	}
	if !live {
		w.startProc(w.newName())
	}
}

func (w *world) newName() string {
	w.names++
	return fmt.Sprintf("m%d", w.names)
}

// fail records the first violation.
func (w *world) fail(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if w.err == nil && strings.Contains(what, w.sc.harm) {
		w.err = fmt.Errorf("seed %d at %v: %s", w.sc.seed, w.now, what)
	}
}

// log keeps a line of history for the replay of a failed seed.
func (w *world) log(format string, args ...any) {
	if w.sc.trace {
		w.lines = append(w.lines, fmt.Sprintf("%9.3fs  ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}
