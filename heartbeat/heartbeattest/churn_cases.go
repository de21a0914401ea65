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

// Sixteen members join, release slowly, leave, crash, come back and commit, all at the same
// time. The ledger checks what they do. In the end, the remaining members hold all shards.
func churn(k *kit) {
	const workers = 16
	end := time.Now().Add(4 * k.ttl)
	members := make([]*member, workers)
	var all sync.WaitGroup
	for i := range workers {
		w := &worker{k: k, name: fmt.Sprintf("m%02d", i), rng: rand.New(rand.NewPCG(1, uint64(i)))}
		all.Go(func() { members[i] = w.run(end) })
	}
	all.Wait()
	if k.Failed() {
		return
	}
	members = members[:workers/2]
	for _, m := range members {
		m.returnAll()
	}
	k.until(k.expiry()+2*k.patience, "the remaining members share all shards", k.settled(members...), members...)
}

// worker starts one process after the other under one name, in its own goroutine.
type worker struct {
	k       *kit
	name    string
	rng     *rand.Rand
	commits int
	former  map[shardset.ID]processor.Owner // what the crashed process held
	crashed *member
}

// run runs one process after the other until end, and returns the last one.
func (w *worker) run(end time.Time) *member {
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
		w.leave(m)
	}
}

// act sends one heartbeat and does one random thing.
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
	w.commitAsFormer()
}

// commitAll commits every shard that m runs. A commit must succeed while m is the holder in the ledger.
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

// leave ends a process: it leaves, crashes, or crashes and comes back at once.
func (w *worker) leave(m *member) {
	pause := time.Duration(w.rng.Int64N(int64(w.k.ttl * 3 / 2)))
	switch n := w.rng.IntN(3); {
	case n == 0 && w.k.info.Guarantees.Leave:
		m.returnAll()
		m.leave()
		w.former = nil
	case n <= 1:
		w.crash(m)
	default:
		w.crash(m)
		pause = 0
	}
	time.Sleep(pause)
}

func (w *worker) crash(m *member) {
	m.crash()
	w.crashed, w.former = m, map[shardset.ID]processor.Owner{}
	for id, r := range m.runs {
		w.former[id] = r.owner
	}
}

// commitAsFormer lets the crashed process commit positions of shards that another member has now. It
// does nothing if the service fences by name only: a new process of the same name may own the shard
// again.
func (w *worker) commitAsFormer() {
	if !w.k.fences() || !w.k.info.Guarantees.Epochs {
		return
	}
	for id, o := range w.former {
		if w.k.ledger.moved(w.name, id) {
			w.crashed.refused("another member has the shard", o, "by the crashed process")
		}
	}
}
