package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/processor/slslog"
)

// batch is a log group that is being collected.
type batch struct {
	route   route
	began   time.Time
	records []record
	size    int
}

// maxPending bounds what all batches hold; with hashing there are hundreds of them.
const maxPending = 32 << 20

// batches are those being collected, the oldest first.
type batches struct {
	o    *options
	open []*batch
	size int
}

// add takes a record, and returns the batches that have to go now, in their order.
func (b *batches) add(r record, now time.Time) (full []*batch) {
	at := b.find(r.route)
	if at >= 0 && b.open[at].size+r.size > b.o.batchBytes {
		full = append(full, b.take(at))
		at = -1
	}
	if at < 0 {
		b.open = append(b.open, &batch{route: r.route, began: now})
		at = len(b.open) - 1
	}
	to := b.open[at]
	to.records = append(to.records, r)
	to.size += r.size
	b.size += r.size
	if len(to.records) >= b.o.batchLines || to.size >= b.o.batchBytes {
		full = append(full, b.take(at))
	}
	for b.size > maxPending {
		full = append(full, b.take(0))
	}
	return full
}

func (b *batches) find(r route) int {
	return slices.IndexFunc(b.open, func(o *batch) bool { return o.route == r })
}

func (b *batches) take(i int) *batch {
	taken := b.open[i]
	b.open = slices.Delete(b.open, i, i+1)
	b.size -= taken.size
	return taken
}

// due returns the batches that have waited for long enough.
func (b *batches) due(now time.Time) (due []*batch) {
	for len(b.open) > 0 && now.Sub(b.open[0].began) >= b.o.linger {
		due = append(due, b.take(0))
	}
	return due
}

// rest returns all batches.
func (b *batches) rest() []*batch {
	rest := b.open
	b.open, b.size = nil, 0
	return rest
}

// next is how long the oldest batch may still wait.
func (b *batches) next(now time.Time) (time.Duration, bool) {
	if len(b.open) == 0 {
		return 0, false
	}
	return max(b.open[0].began.Add(b.o.linger).Sub(now), 0), true
}

// encode makes the group. The stamp, if there is to be one, is the time now.
func (b *batch) encode(g *slslog.Builder, stamp bool, now time.Time) ([]byte, error) {
	g.Reset()
	if err := g.SetTopic(b.route.topic); err != nil {
		return nil, err
	}
	if err := g.SetSource(b.route.source); err != nil {
		return nil, err
	}
	if b.route.tags != "" {
		var tags []string
		if err := json.Unmarshal([]byte(b.route.tags), &tags); err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(tags); i += 2 {
			if err := g.AddTag(tags[i], tags[i+1]); err != nil {
				return nil, err
			}
		}
	}
	at := strconv.AppendInt(nil, now.UnixNano(), 10)
	for _, r := range b.records {
		contents := r.contents
		if stamp {
			contents = append(slices.Clip(contents), slslog.Content{Key: "put_ns", Value: at})
		}
		if err := g.AddLog(r.at, contents...); err != nil {
			return nil, err
		}
	}
	return g.Bytes(), nil
}
