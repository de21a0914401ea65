package schedule

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const (
	simTTL    = 6 * time.Second
	simShards = 12
)

var seeds = flag.Uint64("seeds", 6, "how many simulations of each kind TestSimulation runs")

// scenario is one simulation.
type scenario struct {
	seed    uint64
	procs   int
	clocked bool
	freezes bool // processes are frozen now and then, and nothing else goes wrong
	mutant  mutant
}

// simulate runs processes through a time of faults and a calm one, and returns the first
// invariant that did not hold.
func simulate(t testing.TB, c scenario) error {
	w := &world{
		rng: rand.New(rand.NewPCG(c.seed, 1)), mutant: c.mutant, clocked: c.clocked,
		records: map[string]version{}, memberAt: map[string]time.Duration{}, owners: map[string]string{},
	}
	w.revision = 1
	w.document = version{revision: 1, data: newDocument(t, simShards, simTTL)}
	for i := range c.procs {
		w.newcomer(fmt.Sprintf("m%02d", i))
		w.run(w.now + w.upTo(100*time.Millisecond))
	}
	w.run(w.now + simTTL)
	w.faulty = !c.freezes
	for end := w.now + 10*simTTL; w.now < end && w.harm == nil; {
		w.trouble(c.freezes)
		w.run(w.now + w.upTo(simTTL/2))
	}
	w.run(w.now + 3*simTTL) // until all are back
	w.faulty = false
	for _, p := range w.procs {
		p.cut, p.frozen, p.deafUntil = 0, min(p.frozen, w.now), 0
	}
	// A member that was frozen, too, may speak in the moment before a process would have to
	// have run to count as late.
	if c.freezes && w.traffic.refused > 7 {
		w.fail("%d tombstones conflict although no watch was late", w.traffic.refused)
	}
	w.until(6*simTTL, "after the faults")
	w.calm()
	w.changes()
	w.block()
	return w.harm
}

// newcomer starts a process with one member.
func (w *world) newcomer(name string) *proc {
	p := w.process(0.995 + w.rng.Float64()/100)
	w.join(p, name)
	return p
}

func (w *world) live() (procs []*proc) {
	for _, p := range w.procs {
		if !p.dead {
			procs = append(procs, p)
		}
	}
	return procs
}

// trouble has one thing go wrong.
func (w *world) trouble(freezes bool) {
	live := w.live()
	p := live[w.rng.IntN(len(live))]
	long := w.now + w.upTo(simTTL*3/2)
	kind := w.rng.IntN(7)
	if freezes {
		kind = 0
	}
	switch kind {
	case 0:
		p.frozen = long
	case 1:
		p.cut = long
	case 2:
		p.deafUntil = long
	case 3:
		w.kill(p)
		w.newcomer(p.members[0].name)
	case 4:
		m := p.members[0]
		m.leave()
		w.after(simTTL/4, func() {
			if !p.dead {
				w.kill(p)
				w.newcomer(m.name)
			}
		})
	case 5:
		if len(live) > 1 {
			w.kill(p)
			w.after(2*simTTL+w.upTo(simTTL), func() { w.newcomer(p.members[0].name) })
		}
	case 6:
		if n := len(w.watches); n > 0 {
			w.end(w.watches[w.rng.IntN(n)], errors.New("the watch broke"))
		}
	}
}

// kill ends a process without a word.
func (w *world) kill(p *proc) {
	p.dead = true
	for _, x := range []*simWatch{p.documentWatch, p.recordWatch} {
		if x != nil {
			w.end(x, errSim)
		}
	}
}

// settled returns why the members that live do not share all shards.
func (w *world) settled() error {
	least, most, sum, members := simShards, 0, 0, 0
	for _, p := range w.live() {
		for _, m := range p.members {
			if m.left {
				continue
			}
			n := 0
			if m.believes() {
				n = len(m.held)
			}
			members++
			least, most, sum = min(least, n), max(most, n), sum+n
		}
	}
	if sum != simShards || most-least > 1 || len(w.memberAt) != members {
		return fmt.Errorf("%d members, of which the document has %d, hold %d shards, %d to %d each", members, len(w.memberAt), sum, least, most)
	}
	return nil
}

// until runs until the group has settled, and fails if it takes longer than a bound.
func (w *world) until(bound time.Duration, when string) {
	end := w.now + bound
	for w.harm == nil && w.settled() != nil {
		if w.now >= end {
			w.fail("%s the bound of %v is missed: %v", when, bound, w.settled())
		}
		w.run(w.now + 20*time.Millisecond)
	}
}

// calm checks the traffic of a group in which nothing happens.
func (w *world) calm() {
	w.run(w.now + 4*simTTL)
	before, procs := w.traffic, len(w.live())
	w.run(w.now + 4*simTTL)
	got := w.traffic
	check := func(what string, n, limit int) {
		if n > limit {
			w.fail("the traffic of %d calm processes in four TTLs: %d %s, at most %d", procs, n, what, limit)
		}
	}
	watching := 0
	for _, x := range w.watches {
		if x.records {
			watching++
		}
	}
	check("watches of records", watching, watchers(procs))
	check("documents", got.documents-before.documents, 0)
	check("conflicts", got.conflicts-before.conflicts, 0)
	check("tombstones", got.tombstones-before.tombstones, 0)
	check("deletes", got.deletes-before.deletes, 0)
	check("reads of the document", got.reads-before.reads, 12*procs)
	check("probes", got.probes-before.probes, 12*max(procs-maxWatchers, 0))
	check("writes of records", got.records-before.records, 17*procs)
	check("questions", got.questions-before.questions, 14*min(procs, maxWatchers))
}

// changes checks that a join and a leave take a moment.
func (w *world) changes() {
	conflicts := w.traffic.conflicts
	p := w.newcomer("a")
	w.run(w.now + 20*time.Millisecond)
	w.until(time.Second, "after a join")
	if w.harm == nil {
		p.members[0].leave()
		w.run(w.now + 20*time.Millisecond)
		w.until(time.Second, "after a leave")
		w.kill(p)
	}
	if n := w.traffic.conflicts - conflicts; n > 4 {
		w.fail("%d conflicts for a join and a leave", n)
	}
}

// block checks that members are found which have expired together with those that watch.
func (w *world) block() {
	w.run(w.now + 2*simTTL)
	live := w.live()
	for _, p := range live[:len(live)-min(2, len(live)-1)] {
		w.kill(p)
	}
	w.until(5*simTTL, "after most processes have died")
	w.run(w.now + simTTL)
}

// Whatever goes wrong, no shard has two owners, no member expires while its lease runs, and
// the document does not go back; soon after it all members share all shards, and in a calm
// group the store has next to nothing to do.
func TestSimulation(t *testing.T) {
	for _, procs := range []int{2, 4, 12} {
		for _, clocked := range []bool{false, true} {
			for _, freezes := range []bool{false, true} {
				t.Run(fmt.Sprintf("processes=%d/clock=%v/freezes=%v", procs, clocked, freezes), func(t *testing.T) {
					t.Parallel()
					for seed := range *seeds {
						c := scenario{seed: seed, procs: procs, clocked: clocked, freezes: freezes}
						if err := simulate(t, c); err != nil {
							t.Errorf("seed %d: %v", seed, err)
						}
					}
				})
			}
		}
	}
}
