package main

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// ledger is what the workers printed, shard by shard.
type ledger struct {
	mu     sync.Mutex // guards the fields below
	shards map[int]*book
	starts int
}

// book is what is known of one shard.
type book struct {
	runs   []*tenure
	newest *tenure // the one with the highest epoch that has started
	cover  []span  // records that were handled, in order, without overlaps
	twice  int64   // how often a record was handled again
	breaks int     // how often a batch had a hole
}

// tenure is one grant: a worker's processor from its start to its end.
type tenure struct {
	shard   int
	worker  *worker
	epoch   uint64
	started time.Time
	ended   time.Time // zero: it has not
	resume  uint64    // the sequence it began at; 0: nothing was committed
	high    uint64    // the highest position that was committed
	back    int       // commits that were lower than one before
	batches int
	woken   int       // of them, handled after the worker was frozen and woke
	first   time.Time // when the handling of the first batch began
	last    time.Time // when that of the last one was over
}

// span are the records from, but not including, from, to to.
type span struct{ from, to int64 }

func newLedger() *ledger { return &ledger{shards: map[int]*book{}} }

// book returns the book of a shard. The caller holds mu.
func (g *ledger) book(shard int) *book {
	b := g.shards[shard]
	if b == nil {
		b = &book{}
		g.shards[shard] = b
	}
	return b
}

// tenure returns a worker's tenure under an epoch, which begins if it is not known. The caller
// holds mu.
func (b *book) tenure(shard int, w *worker, epoch uint64) *tenure {
	for _, r := range slices.Backward(b.runs) {
		if r.worker == w && r.epoch == epoch {
			return r
		}
	}
	r := &tenure{shard: shard, worker: w, epoch: epoch}
	b.runs = append(b.runs, r)
	return r
}

// started files the start of a tenure. A processor that is restarted under the same grant
// goes on.
func (g *ledger) started(w *worker, p printed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.book(p.Shard)
	r := b.tenure(p.Shard, w, p.Epoch)
	if r.started.IsZero() {
		r.started, r.resume = p.At, p.Position
		g.starts++
		if b.newest == nil || p.Epoch > b.newest.epoch {
			b.newest = r
		}
	}
	r.ended = time.Time{}
}

// stopped files the end of a tenure.
func (g *ledger) stopped(w *worker, p printed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.book(p.Shard).tenure(p.Shard, w, p.Epoch)
	if r.ended.IsZero() {
		r.ended = p.At
	}
}

// committed files a commit that was accepted.
func (g *ledger) committed(w *worker, p printed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.book(p.Shard).tenure(p.Shard, w, p.Epoch)
	if p.Position < r.high {
		r.back++
	}
	r.high = max(r.high, p.Position)
}

// handled files a batch.
func (g *ledger) handled(w *worker, p printed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.book(p.Shard)
	r := b.tenure(p.Shard, w, p.Epoch)
	if r.batches == 0 || p.Began.Before(r.first) {
		r.first = p.Began
	}
	if p.At.After(r.last) {
		r.last = p.At
	}
	r.batches++
	b.breaks += p.Breaks
	if w.wokeBefore(p.At) {
		r.woken++
	}
	b.add(span{p.First - 1, p.Last})
}

// add notes that records were handled. Those that were before count as handled again.
func (b *book) add(s span) {
	i, _ := slices.BinarySearchFunc(b.cover, s.from, func(c span, from int64) int { return cmp.Compare(c.to, from) })
	j := i
	for j < len(b.cover) && b.cover[j].from <= s.to {
		c := b.cover[j]
		b.twice += max(min(c.to, s.to)-max(c.from, s.from), 0)
		s.from, s.to = min(s.from, c.from), max(s.to, c.to)
		j++
	}
	b.cover = slices.Replace(b.cover, i, j, s)
}

// missing returns how many of the records 1 to end were not handled.
func (b *book) missing(end int64) int64 {
	for _, c := range b.cover {
		end -= min(c.to, end) - min(c.from, end)
	}
	return end
}

// counts returns how many records were handled more than once, how many of those up to
// the ends are missing, and how many holes there were in batches.
func (g *ledger) counts(ends []int64) (twice, missing, breaks int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for shard, end := range ends {
		b := g.book(shard)
		twice, missing, breaks = twice+b.twice, missing+b.missing(end), breaks+int64(b.breaks)
	}
	return twice, missing, breaks
}

// late returns how many batches a worker handled after it woke, under a lease from before
// it was frozen. It is for the end: a batch may be printed before the start of its tenure.
func (g *ledger) late(w *worker) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.shards {
		for _, r := range b.runs {
			if r.worker == w && r.started.Before(w.goneAt()) {
				n += r.woken
			}
		}
	}
	return n
}

// begun returns how many tenures have begun.
func (g *ledger) begun() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.starts
}

// owners returns how many shards each worker runs, and has handled a batch of.
func (g *ledger) owners() map[*worker]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	owners := map[*worker]int{}
	for _, b := range g.shards {
		if r := b.current(); r != nil && r.batches > 0 {
			owners[r.worker]++
		}
	}
	return owners
}

// current returns the newest tenure, if it is not over. The caller holds the ledger's mu.
func (b *book) current() *tenure {
	if b.newest == nil || !b.newest.over().IsZero() {
		return nil
	}
	return b.newest
}

// over returns when the tenure was over: it had ended, or its process was killed or frozen.
// Zero: it is not.
func (r *tenure) over() time.Time {
	gone := r.worker.goneAt()
	if gone.IsZero() || gone.Before(r.started) || !r.ended.IsZero() && r.ended.Before(gone) {
		return r.ended
	}
	return gone
}

// sequence returns the tenures of each shard in the order of their epochs. A shard may be
// revoked before its processor has begun: such a tenure has only an end, and is left out.
func (g *ledger) sequence() (all [][]tenure) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.shards {
		var runs []tenure
		for _, r := range b.runs {
			if !r.started.IsZero() || r.batches > 0 || r.high > 0 {
				runs = append(runs, *r)
			}
		}
		slices.SortFunc(runs, func(a, b tenure) int { return cmp.Compare(a.epoch, b.epoch) })
		all = append(all, runs)
	}
	return all
}
