package heartbeattest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func churnCases() []testCase {
	return []testCase{{name: "Churn/many members", shards: shards(24), run: churn}}
}

// Sixteen members join, release slowly, leave, die, and come back, all at the same
// time, and commit as they go; the ledger watches. When it is over, every shard is
// held by one of those that are left.
func churn(k *kit) {
	const workers = 16
	end := time.Now().Add(4 * k.ttl)
	members := make([]*member, workers)
	var all sync.WaitGroup
	for i := range workers {
		w := &worker{k: k, name: fmt.Sprintf("m%02d", i), rng: rand.New(rand.NewPCG(1, uint64(i)))}
		all.Go(func() { members[i] = w.live(end) })
	}
	all.Wait()
	if k.Failed() {
		return
	}
	members = members[:workers/2]
	for _, m := range members {
		m.returnAll()
	}
	k.until(k.expiry()+2*k.patience, "the members that are left have shared out the shards", k.settled(members...), members...)
}

// worker is a member's name, and the goroutine that lives its lives.
type worker struct {
	k        *kit
	name     string
	rng      *rand.Rand
	commits  int
	former   map[shardset.ID]processor.Owner // of the life before, which died
	deceased *member
}

// live lives one life after the other until end, and returns the last.
func (w *worker) live(end time.Time) *member {
	for {
		m, err := w.k.newMember(w.name)
		if err != nil {
			w.k.Errorf("Dial: %v", err)
			return nil
		}
		for n := 5 + w.rng.IntN(30); n > 0 && time.Now().Before(end); n-- {
			w.act(m)
			time.Sleep(w.k.step/2 + time.Duration(w.rng.Int64N(int64(w.k.step))))
		}
		if !time.Now().Before(end) {
			return m
		}
		w.depart(m)
	}
}

// act is what a member does from one heartbeat to the next.
func (w *worker) act(m *member) {
	m.beat()
	switch w.rng.IntN(4) {
	case 0:
		m.stuck = true
	case 1:
		m.returnAll()
	case 2:
		w.commitAll(m)
	}
	w.haunt()
}

// commitAll commits everything that m runs, and knows that it may.
func (w *worker) commitAll(m *member) {
	if m.store == nil {
		return
	}
	for _, id := range m.running() {
		w.commits++
		o := m.owner(id)
		err := m.save(o, processor.Position(fmt.Sprintf("%s %d", w.name, w.commits)))
		if err != nil && w.k.ledger.valid(m, id) {
			w.k.Errorf("%s commits to shard %s under epoch %d, which it holds: %v", w.name, id, o.Lease.Epoch, err)
		}
	}
}

// depart ends a life: by leaving, by dying, or by dying and coming back at once.
func (w *worker) depart(m *member) {
	pause := time.Duration(w.rng.Int64N(int64(w.k.ttl * 3 / 2)))
	switch n := w.rng.IntN(3); {
	case n == 0 && w.k.info.Guarantees.Leave:
		m.returnAll()
		m.leave()
		w.former = nil
	case n <= 1:
		w.bury(m)
	default:
		w.bury(m)
		pause = 0
	}
	time.Sleep(pause)
}

func (w *worker) bury(m *member) {
	m.die()
	w.deceased, w.former = m, map[shardset.ID]processor.Owner{}
	for id, r := range m.runs {
		w.former[id] = r.owner
	}
}

// haunt has the life before commit what somebody else has by now. Where names are
// all that is fenced, the life of now may have made that good.
func (w *worker) haunt() {
	if !w.k.fences() || !w.k.info.Guarantees.Epochs {
		return
	}
	for id, o := range w.former {
		if w.k.ledger.moved(w.name, id) {
			w.deceased.refused("another member has the shard", o, "by a ghost")
		}
	}
}
