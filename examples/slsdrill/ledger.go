package main

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// ledger is everything that workers printed: who handled what, when.
type ledger struct {
	mu      sync.Mutex // guards the fields below
	batches map[int][]handled
}

// handled is one batch: the log groups from up to, but not including, next.
type handled struct {
	worker     *worker
	at         time.Time
	from, next int64
}

func newLedger() *ledger { return &ledger{batches: map[int][]handled{}} }

// add files a batch.
func (g *ledger) add(shard int, h handled) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.batches[shard] = append(g.batches[shard], h)
}

// shard returns the batches of a shard in the order of their times.
func (g *ledger) shard(n int) []handled {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := slices.Clone(g.batches[n])
	slices.SortStableFunc(list, func(a, b handled) int { return a.at.Compare(b.at) })
	return list
}

// count says how many log groups between two cursors were handled more than once, and
// how many never.
func (g *ledger) count(shard int, begin, end int64) (twice, lost int) {
	times := make([]int, end-begin)
	for _, h := range g.shard(shard) {
		for i := max(h.from, begin); i < min(h.next, end); i++ {
			times[i-begin]++
		}
	}
	for _, n := range times {
		switch {
		case n == 0:
			lost++
		case n > 1:
			twice += n - 1
		}
	}
	return twice, lost
}

// move is a change of hands.
type move struct {
	shard       int
	from, to    *worker
	last, first time.Time // the last batch there, the first one here
}

// pause is how long the shard stood still.
func (m move) pause() time.Duration { return max(m.first.Sub(m.last), 0) }

// moves returns the changes of hands that ended after a time.
func (g *ledger) moves(shards int, since time.Time) (all []move) {
	for n := range shards {
		list := g.shard(n)
		for i := 1; i < len(list); i++ {
			if a, b := list[i-1], list[i]; a.worker != b.worker && b.at.After(since) {
				all = append(all, move{n, a.worker, b.worker, a.at, b.at})
			}
		}
	}
	return all
}

func pauses(moves []move) (all []time.Duration) {
	for _, m := range moves {
		all = append(all, m.pause())
	}
	return all
}

// number is what a cursor of the service stands for.
func number(cursor string) (int64, error) {
	raw, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil {
		return 0, fmt.Errorf("cursor %q: %w", cursor, err)
	}
	return strconv.ParseInt(string(raw), 10, 64)
}
