package slslog

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// worker is a whole worker on a server, and what it has handled.
type worker struct {
	s      *served
	c      *coordinator.Coordinator
	cancel context.CancelFunc
	done   chan error

	mu      sync.Mutex // guards the fields below
	handled map[int][]int
	gaps    []processor.Gap
}

func (s *served) work(finite bool, o batch.Options[Group]) *worker { return s.workOn(nil, finite, o) }

// workOn is work with another store of checkpoints than the service.
func (s *served) workOn(store processor.Checkpoints, finite bool, o batch.Options[Group]) *worker {
	s.t.Helper()
	w := &worker{s: s, done: make(chan error, 1), handled: map[int][]int{}}
	handle := func(_ context.Context, b *batch.Batch[Group]) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, n := range contents(b.Items) {
			i, err := strconv.Atoi(n)
			if err != nil {
				return err
			}
			w.handled[b.ID().Number] = append(w.handled[b.ID().Number], i)
		}
		return nil
	}
	if (o.Expired != batch.Initial{}) {
		o.OnGap = func(_ context.Context, _ shardset.ID, g processor.Gap) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.gaps = append(w.gaps, g)
			return nil
		}
	}
	c, err := coordinator.New(coordinator.Config{
		Group: s.Client, Checkpoints: store, Processor: batch.Handle(s.source(Options{}), handle, o), Member: "w", Finite: finite,
	})
	must(s.t, err)
	ctx, cancel := context.WithCancel(s.t.Context())
	w.c, w.cancel = c, cancel
	go func() { w.done <- c.Run(ctx) }()
	return w
}

// stop ends the worker, and returns when it has.
func (w *worker) stop() {
	w.s.t.Helper()
	w.cancel()
	must(w.s.t, <-w.done)
	w.done <- nil // again
}

// has reports what was handled of a shard.
func (w *worker) has(shard int, want ...int) {
	w.s.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.handled[shard], want) {
		w.s.t.Errorf("of shard %d it has handled %v, want %v", shard, w.handled[shard], want)
	}
}

// committed checks the checkpoint of a shard.
func (s *served) committed(shard int, want string) {
	s.t.Helper()
	p, ok, err := s.Load(s.t.Context(), processor.Owner{Lease: shardset.Lease{ID: shardset.ID{Log: testLog, Number: shard}}})
	must(s.t, err)
	if !ok || string(p) != want {
		s.t.Errorf("the checkpoint of shard %d is %q, want %q", shard, p, want)
	}
}

func count(from, to int) (numbers []int) {
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

// TestWorkerEndsAtABound reads two shards up to a time, commits it, and returns.
func TestWorkerEndsAtABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 2, slsserver.Config{})
		s.put('0', 20, sls.PutOptions{})
		s.put('f', 10, sls.PutOptions{})
		bound := time.Now().Add(10 * time.Second)
		w := s.work(true, batch.Options[Group]{Until: bound})
		time.Sleep(9 * time.Second)
		s.put('0', 2, sls.PutOptions{})
		time.Sleep(time.Second)
		ends := []string{s.at(0, sls.End), s.at(1, sls.End)}
		s.put('f', 1, sls.PutOptions{}) // at the bound, so behind it
		must(t, <-w.done)
		if took := time.Since(bound); took > 20*time.Second {
			t.Errorf("it ended %v after the bound", took)
		}
		w.has(0, append(count(0, 20), 30, 31)...)
		w.has(1, count(20, 30)...)
		s.committed(0, ends[0])
		s.committed(1, ends[1])
	})
}

// TestWorkerFollowsASplit: the parent is read to its end, which is committed, and the
// children from their beginning.
func TestWorkerFollowsASplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 2, slsserver.Config{})
		w := s.work(false, batch.Options[Group]{})
		s.put('0', 5, sls.PutOptions{})
		time.Sleep(5 * time.Second)
		s.put('0', 5, sls.PutOptions{})
		_, err := s.SplitShard(t.Context(), 0, "40000000000000000000000000000000")
		must(t, err)
		_, err = s.SplitShard(t.Context(), 1, "c0000000000000000000000000000000") // it is empty
		must(t, err)
		s.put('0', 3, sls.PutOptions{})
		s.put('5', 3, sls.PutOptions{})
		time.Sleep(20 * time.Second)
		s.put('f', 2, sls.PutOptions{})
		time.Sleep(2 * time.Second)
		w.stop()
		w.has(0, count(0, 10)...)
		w.has(1)
		w.has(2, count(10, 13)...)
		w.has(3, count(13, 16)...)
		w.has(4)
		w.has(5, count(16, 18)...)
		for _, shard := range []int{0, 2, 3} { // 1 never had data: it is over without a checkpoint
			s.committed(shard, s.at(shard, sls.End))
		}
	})
}

// TestWorkerCrossesAGap: its position has expired. It goes on with the oldest log that is left, and
// reports the gap.
func TestWorkerCrossesAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 1, slsserver.Config{})
		s.put('0', 3, sls.PutOptions{})
		w := s.work(false, batch.Options[Group]{})
		time.Sleep(5 * time.Second)
		w.stop()
		w.has(0, 0, 1, 2)
		lost := s.at(0, sls.End)
		s.committed(0, lost)
		s.put('0', 7, sls.PutOptions{})
		must(t, s.server.Expire("p", testLog, 0, 6))
		w = s.work(false, batch.Options[Group]{Expired: batch.Earliest()})
		time.Sleep(10 * time.Second)
		w.stop()
		w.has(0, count(6, 10)...)
		if len(w.gaps) != 1 || string(w.gaps[0].Lost) != lost || string(w.gaps[0].Resumed) != s.at(0, sls.Begin) {
			t.Errorf("the gaps are %+v", w.gaps)
		}
		s.committed(0, s.at(0, sls.End))
	})
}
