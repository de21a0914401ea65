package main

import (
	"errors"
	"sync"

	"github.com/rollcall-go/rollcall/shardset"
)

// sink is where the results go. It stands for the database of a real program: all
// workers write to it, and it outlives a killed one.
//
// Rollcall promises that every line is processed at least once. If a worker crashes,
// the next owner processes the lines after the last commit again. So that each line
// still counts once, the sink is idempotent: the key of a line is its shard and its
// number in the shard, and putting a key a second time changes nothing. In a database
// that is an upsert. (The other way is to store results and position in one
// transaction; it needs both in the same place.)
//
// The sink fences as well: it remembers the highest epoch that wrote to a shard and
// refuses lower ones, so a former owner that was frozen and wakes up late changes
// nothing.
type sink struct {
	mu     sync.Mutex // guards everything below
	shards map[shardset.ID]*results
}

// results is what the sink has of one shard.
type results struct {
	epoch    uint64         // the highest that wrote
	seen     []uint64       // a bit for each line
	lines    int            // that were seen
	next     int            // the number after the highest one seen
	sum      uint64         // of the lines' sums
	classes  map[string]int // lines of each class
	past     []reach        // of the epochs before, in order
	again    map[uint64]int // lines put again by a later epoch; the key is the epoch that put them first
	restarts int            // lines put again by the same epoch: its processor failed and was started again
}

// reach is how far an epoch came: the number after the highest line seen.
type reach struct {
	epoch uint64
	next  int
}

var errStaleEpoch = errors.New("the sink has results of a later owner")

func newSink() *sink { return &sink{shards: map[shardset.ID]*results{}} }

// put stores one line.
func (s *sink) put(lease shardset.Lease, l line, class string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.shards[lease.ID]
	if r == nil {
		r = &results{classes: map[string]int{}, again: map[uint64]int{}}
		s.shards[lease.ID] = r
	}
	if lease.Epoch < r.epoch {
		return errStaleEpoch
	}
	if lease.Epoch > r.epoch && r.epoch > 0 {
		r.past = append(r.past, reach{r.epoch, r.next})
	}
	r.epoch = lease.Epoch
	if r.has(l.number) {
		if first := r.first(l.number); first < lease.Epoch {
			r.again[first]++
		} else {
			r.restarts++
		}
		return nil
	}
	for len(r.seen) <= l.number/64 {
		r.seen = append(r.seen, 0)
	}
	r.seen[l.number/64] |= 1 << (l.number % 64)
	r.next = max(r.next, l.number+1)
	r.lines++
	r.sum += l.sum
	r.classes[class]++
	return nil
}

func (r *results) has(line int) bool {
	return r != nil && line/64 < len(r.seen) && r.seen[line/64]&(1<<(line%64)) != 0
}

// first returns the epoch that put a line first. A line is put again because that epoch
// ended, whichever later epoch repeats it.
func (r *results) first(line int) uint64 {
	for _, p := range r.past {
		if line < p.next {
			return p.epoch
		}
	}
	return r.epoch
}

// progress returns how many lines the shard has results for, and the number after the
// highest of them.
func (s *sink) progress(id shardset.ID) (lines, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.shards[id]; r != nil {
		return r.lines, r.next
	}
	return 0, 0
}

// again returns how many of the lines that an epoch put first were put again by later
// epochs.
func (s *sink) again(id shardset.ID, epoch uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.shards[id]; r != nil {
		return r.again[epoch]
	}
	return 0
}

// totals returns the lines of each class, and how many lines came more than once.
func (s *sink) totals() (classes map[string]int, lines, again int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	classes = map[string]int{}
	for _, r := range s.shards {
		for class, n := range r.classes {
			classes[class] += n
		}
		lines += r.lines
		again += r.restarts
		for _, n := range r.again {
			again += n
		}
	}
	return classes, lines, again
}

// stored returns the results of a shard, which belong to the caller once all workers
// have ended. It may be nil.
func (s *sink) stored(id shardset.ID) *results {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shards[id]
}
