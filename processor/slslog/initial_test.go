package slslog

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// all returns the numbers that workers have handled, sorted.
func all(workers ...*worker) (numbers []int) {
	for _, w := range workers {
		w.mu.Lock()
		for _, list := range w.handled {
			numbers = append(numbers, list...)
		}
		w.mu.Unlock()
	}
	slices.Sort(numbers)
	return numbers
}

// split splits the shard that takes a key, in the middle.
func (s *served) split(shard int, key string) {
	s.t.Helper()
	_, err := s.SplitShard(s.t.Context(), shard, fmt.Sprintf("%s%0*d", key, 32-len(key), 0))
	must(s.t, err)
}

// stream puts one log group each at the beginning and at the end of the keys, every 50 ms.
func (s *served) stream(d time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		s.put('0', 1, sls.PutOptions{})
		s.put('f', 1, sls.PutOptions{})
	}
}

// TestInitialIsForTheFirstStart: a worker that begins at the end, or at a time, reads all that
// comes after that: also what comes to shards that are split and merged while it runs and
// while it does not. And nothing that came before.
func TestInitialIsForTheFirstStart(t *testing.T) {
	for name, c := range map[string]struct {
		initial func(now time.Time) batch.Initial // of each worker anew
		refused bool                              // the list of shards
		ordered bool
		store   processor.Checkpoints // nil: the service
	}{
		"latest":                         {initial: func(time.Time) batch.Initial { return batch.Latest() }},
		"latest, ordered":                {initial: func(time.Time) batch.Initial { return batch.Latest() }, ordered: true},
		"the time of the start":          {initial: batch.At},
		"latest, and no list":            {initial: func(time.Time) batch.Initial { return batch.Latest() }, refused: true},
		"the time, and no list":          {initial: batch.At, refused: true},
		"the time, and in order":         {initial: batch.At, ordered: true},
		"latest, another store":          {initial: func(time.Time) batch.Initial { return batch.Latest() }, store: processor.NewMemoryCheckpoints()},
		"the time, another store":        {initial: batch.At, store: processor.NewMemoryCheckpoints()},
		"latest, another store, no list": {initial: func(time.Time) batch.Initial { return batch.Latest() }, store: processor.NewMemoryCheckpoints(), refused: true},
		"a time in the past":             {initial: func(now time.Time) batch.Initial { return batch.At(now.Add(-time.Second)) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, 2, slsserver.Config{}, func(config *sls.Config) { config.Ordered = c.ordered })
				if c.ordered {
					must(t, s.Create(t.Context()))
				}
				if c.refused {
					_, err := s.server.AddFault(slsserver.Fault{Op: "ListShards", Status: 401, Code: "Unauthorized", Message: "no"})
					must(t, err)
				}
				s.put('0', 30, sls.PutOptions{})
				s.put('f', 30, sls.PutOptions{})
				s.split(1, "c") // before the group: its children are not younger
				s.put('f', 30, sls.PutOptions{})
				time.Sleep(3 * time.Second)

				a := s.workOn(c.store, false, batch.Options[Group]{Initial: c.initial(time.Now())})
				time.Sleep(5 * time.Second)
				s.stream(2 * time.Second)
				s.split(0, "4")
				s.stream(3 * time.Second)
				time.Sleep(10 * time.Second)
				s.stream(time.Second)
				a.stop()
				s.split(3, "e") // while no worker runs
				s.stream(2 * time.Second)
				s.split(4, "2")
				s.stream(2 * time.Second)
				_, err := s.MergeShards(t.Context(), 5)
				must(t, err)
				s.stream(2 * time.Second)
				b := s.workOn(c.store, false, batch.Options[Group]{Initial: c.initial(time.Now())})
				time.Sleep(20 * time.Second)
				s.stream(time.Second)
				time.Sleep(5 * time.Second)
				b.stop()
				if got := all(a, b); !slices.Equal(got, count(90, s.number)) {
					t.Errorf("of %d logs after the start it handled %d: %v", s.number-90, len(got), got)
				}
			})
		})
	}
}
