package main

import (
	"fmt"
	"time"
)

// verdict is what the ledger says of the order in which shards had their owners.
type verdict struct {
	double int // owners that began before the one before them was over
	epochs int // epochs that were given twice, or whose start came before that of a lower one
	back   int // checkpoints that went back
	first  string
}

// fault counts a fault, and keeps the words of the first one.
func (v *verdict) fault(n *int, format string, a ...any) {
	*n++
	if v.first == "" {
		v.first = fmt.Sprintf(format, a...)
	}
}

// judge looks at the runs of all shards.
func (g *ledger) judge() verdict {
	var v verdict
	for _, runs := range g.sequence() {
		high := uint64(0)
		for i, r := range runs {
			if r.back > 0 {
				v.fault(&v.back, "shard %d: %d commits of %s went back", r.shard, r.back, r.worker.name)
			}
			if r.started.IsZero() {
				v.fault(&v.epochs, "shard %d: %s did something under epoch %d, and had not started", r.shard, r.worker.name, r.epoch)
			} else if i > 0 && !runs[i-1].started.IsZero() {
				v.pair(runs[i-1], r)
			}
			if r.resume < high {
				v.fault(&v.back, "shard %d: %s began at %d, and %d had been committed", r.shard, r.worker.name, r.resume, high)
			}
			high = max(high, r.high)
		}
	}
	return v
}

// pair judges an owner and the next one.
func (v *verdict) pair(a, b tenure) {
	over := a.over()
	switch {
	case a.epoch == b.epoch:
		v.fault(&v.epochs, "shard %d: %s and %s had it under the one epoch %d", a.shard, a.worker.name, b.worker.name, a.epoch)
	case b.started.Before(a.started):
		v.fault(&v.epochs, "shard %d: epoch %d started before epoch %d", a.shard, b.epoch, a.epoch)
	case over.IsZero():
		v.fault(&v.double, "shard %d: %s has it, and %s has it too", a.shard, a.worker.name, b.worker.name)
	case b.started.Before(over):
		v.fault(&v.double, "shard %d: %s began %v before %s had ended", a.shard, b.worker.name, over.Sub(b.started), a.worker.name)
	}
}

// move is a change of hands.
type move struct {
	shard    int
	from, to *worker
	// stood is from the end of the last batch there to the beginning of the first one
	// here, and handed from the end of the processor there to the start of the one here.
	stood, handed time.Duration
	started       time.Time // here
}

// moves returns the changes of hands since a time.
func (g *ledger) moves(since time.Time) (all []move) {
	for _, runs := range g.sequence() {
		for i := 1; i < len(runs); i++ {
			a, b := runs[i-1], runs[i]
			if b.started.Before(since) || a.batches == 0 || b.batches == 0 {
				continue
			}
			all = append(all, move{
				shard: a.shard, from: a.worker, to: b.worker, stood: max(b.first.Sub(a.last), 0),
				handed: b.started.Sub(a.over()), started: b.started,
			})
		}
	}
	return all
}

// startsSince returns how many runs started after a time.
func (g *ledger) startsSince(t time.Time) (n int) {
	for _, runs := range g.sequence() {
		for _, r := range runs {
			if r.started.After(t) {
				n++
			}
		}
	}
	return n
}
