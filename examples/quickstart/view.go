package main

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// view is the state of the work at one moment, for a display.
type view struct {
	at      time.Duration
	lines   int     // processed
	share   float64 // of the bytes, committed
	rate    float64 // lines a second
	shards  []shardView
	workers []workerView
	notes   []note // all so far
}

type shardView struct {
	id    shardset.ID
	owner string
	epoch uint64 // counted from the shard's first, which the group takes from the clock
	state string
	style style
	share float64 // of its bytes, committed
	lines int     // processed
	rate  float64
	moved time.Duration // when its owner received it; zero: it never had another owner
}

type workerView struct {
	name   string
	state  string
	style  style
	gone   bool
	shards int
	lines  int
	status coordinator.Status
}

// fresh is how long the table shows a handover.
const fresh = 1500 * time.Millisecond

// viewer makes views, one after the other.
type viewer struct {
	work  *work
	rates map[shardset.ID]*meter
	first map[shardset.ID]uint64 // epochs
}

func newViewer(w *work) *viewer {
	return &viewer{work: w, rates: map[shardset.ID]*meter{}, first: map[shardset.ID]uint64{}}
}

func (v *viewer) look() view {
	w, now := v.work, time.Now()
	snap := w.service.Snapshot()
	view := view{at: now.Sub(w.begin), notes: w.journal.told(0)}
	latest := map[shardset.ID]handover{}
	for _, h := range w.journal.handovers() {
		latest[h.id] = h
	}
	var done, size int64
	for _, info := range snap.Shards {
		s := w.spans[info.ID]
		row := v.shard(now, s, info, latest[info.ID])
		size += s.end - s.begin
		done += int64(row.share * float64(s.end-s.begin))
		view.lines += row.lines
		view.rate += row.rate
		view.shards = append(view.shards, row)
	}
	if size > 0 {
		view.share = float64(done) / float64(size)
	}
	view.workers = v.workers(now, snap)
	return view
}

// shard describes one shard. The owner comes from the group, the progress from the
// checkpoint, and the number of lines from the sink.
func (v *viewer) shard(now time.Time, s *span, info group.ShardInfo, h handover) shardView {
	w := v.work
	row := shardView{id: info.ID, owner: info.Owner, state: "running", share: 1}
	row.lines, _ = w.sink.progress(s.id)
	if v.rates[s.id] == nil {
		v.rates[s.id] = &meter{}
	}
	row.rate = v.rates[s.id].rate(now, row.lines)
	if at, err := w.committed(s); err == nil && s.end > s.begin {
		row.share = float64(at.offset-s.begin) / float64(s.end-s.begin)
	}
	if info.Owner != "" && v.first[s.id] == 0 {
		v.first[s.id] = info.Epoch
	}
	if first := v.first[s.id]; first > 0 {
		row.epoch = info.Epoch - first + 1
	}
	if h.after > 0 {
		row.moved = h.at.Sub(w.begin)
	}
	switch {
	case info.State == group.StateClosed:
		row.state, row.style = coordinator.ShardComplete.String(), dim
	case info.State == group.StateFree:
		row.state, row.style = "free", yellow
	case w.isDead(info.Owner):
		row.state, row.style = "owner was killed", red
	case info.State == group.StateTransfer:
		row.state, row.style = "on its way to "+info.Next, yellow
	case h.after == info.Epoch && now.Sub(h.at) < fresh:
		row.state, row.style = fmt.Sprintf("from %s in %s", h.from, short(h.pause)), green
	}
	return row
}

func (v *viewer) workers(now time.Time, snap group.Snapshot) []workerView {
	w := v.work
	var rows []workerView
	for _, k := range w.all() {
		row := workerView{name: k.name, lines: int(k.lines.Load()), status: k.coord.Status()}
		row.shards, row.state = len(row.status.Shards), row.status.State.String()
		switch {
		case w.isDead(k.name):
			row.gone, row.style, row.shards, row.state = true, red, 0, "killed; its lease is over"
			for _, m := range snap.Members {
				if m.Name == k.name {
					row.shards, row.state = m.Held, "killed; its lease ends in "+short(m.Expires.Sub(now))
				}
			}
		case row.status.State == coordinator.StateStopped:
			row.gone, row.style, row.state = true, dim, "left"
			if k.done.Load() {
				row.state = "left: the work is complete"
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// meter measures a rate, smoothed over about half a second.
type meter struct {
	at    time.Time
	count int
	value float64
}

func (m *meter) rate(now time.Time, count int) float64 {
	const window = 500 * time.Millisecond
	if !m.at.IsZero() && now.After(m.at) {
		passed := now.Sub(m.at)
		weight := min(1, float64(passed)/float64(window))
		m.value += weight * (float64(count-m.count)/passed.Seconds() - m.value)
	}
	m.at, m.count = now, count
	return m.value
}
