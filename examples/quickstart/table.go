package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// display shows the work while it goes on. It is called a few times a second, and a
// last time at the end.
type display interface{ show(v view) }

// watch shows the work until it is over.
func (w *work) watch(d display, v *viewer) {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for w.ctx.Err() == nil {
		d.show(v.look())
		select {
		case <-t.C:
		case <-w.ctx.Done():
		}
	}
}

// newDisplay returns a table for a terminal, and plain lines for anything else.
func newDisplay(stdout io.Writer) display {
	if f, ok := stdout.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &table{out: f, colour: os.Getenv("NO_COLOR") == ""}
		}
	}
	return &plain{out: stdout, next: time.Second}
}

// plain writes a line a second, and one for each event.
type plain struct {
	out   io.Writer
	notes int           // written so far
	next  time.Duration // when the next regular line is due
}

func (p *plain) show(v view) {
	for _, n := range v.notes[p.notes:] {
		fmt.Fprintf(p.out, "%s  * %s\n", clock(n.at), n.text)
	}
	p.notes = len(v.notes)
	if v.at < p.next {
		return
	}
	p.next = v.at.Truncate(time.Second) + time.Second
	var held []string
	for _, k := range v.workers {
		switch {
		case !k.gone:
			held = append(held, fmt.Sprintf("%s:%d", k.name, k.shards))
		case k.shards > 0:
			held = append(held, fmt.Sprintf("%s:%d (killed)", k.name, k.shards))
		}
	}
	fmt.Fprintf(p.out, "%s  %s lines, %3.0f%%, %s a second; shards %s\n",
		clock(v.at), commas(v.lines), 100*v.share, commas(int(v.rate)), strings.Join(held, " "))
}

// table draws everything in place. It fits a small terminal: if there are many shards,
// it shows those that moved last.
type table struct {
	out    io.Writer
	colour bool
	height int // lines of the last drawing
}

const (
	tableShards  = 12
	tableWorkers = 5
	tableHeight  = 22
)

func (t *table) show(v view) {
	lines := []string{t.paint(bold, fmt.Sprintf("%-14s %-5s %5s  %-15s %7s %7s  %s",
		"SHARD", "OWNER", "EPOCH", "COMMITTED", "LINES", "LINES/S", "STATE"))}
	for _, s := range recent(v.shards, tableShards) {
		lines = append(lines, fmt.Sprintf("%-14s %-5s %5d  %s %3.0f%% %7s %7s  %s", tail(s.id.String(), 14), s.owner, s.epoch,
			bar(s.share, 10), math.Floor(100*s.share), commas(s.lines), commas(int(s.rate+0.5)), t.paint(s.style, s.state)))
	}
	if more := len(v.shards) - tableShards; more > 0 {
		lines[len(lines)-1] = fmt.Sprintf("... and %s", count(more+1, "more shard"))
	}
	lines = append(lines, t.paint(bold, fmt.Sprintf("%-14s %5s %5s %8s %8s  %s",
		"WORKER", "HOLDS", "BEATS", "COMMITS", "LINES", "STATE")))
	for _, k := range v.workers[:min(len(v.workers), tableWorkers)] {
		lines = append(lines, fmt.Sprintf("%-14s %5d %5d %8s %8s  %s", k.name, k.shards, k.status.Counters.Heartbeats,
			commas(int(k.status.Counters.Commits)), commas(k.lines), t.paint(k.style, k.state)))
	}
	if more := len(v.workers) - tableWorkers; more > 0 {
		lines[len(lines)-1] = fmt.Sprintf("... and %s", count(more+1, "more worker"))
	}
	lines = append(lines, t.paint(bold, fmt.Sprintf("%s  %s lines, %.0f%% committed, %s lines/s",
		clock(v.at), commas(v.lines), math.Floor(100*v.share), commas(int(v.rate)))))
	room := tableHeight - len(lines)
	for _, n := range v.notes[max(0, len(v.notes)-room):] {
		lines = append(lines, fmt.Sprintf("%s  %s", clock(n.at), n.text))
	}
	t.draw(lines)
}

// recent returns the n shards that moved last, in order.
func recent(shards []shardView, n int) []shardView {
	if len(shards) <= n {
		return shards
	}
	byTime := slices.Clone(shards)
	slices.SortStableFunc(byTime, func(a, b shardView) int { return cmp.Compare(b.moved, a.moved) })
	byTime = byTime[:n]
	slices.SortFunc(byTime, func(a, b shardView) int { return a.id.Compare(b.id) })
	return byTime
}

// draw replaces the last drawing, in one write. The terminal cuts off a line that is
// too long, because a wrapped line would take two rows.
func (t *table) draw(lines []string) {
	const noWrap, wrap, clearLine, clearBelow = "\x1b[?7l", "\x1b[?7h", "\x1b[K", "\x1b[J"
	var b strings.Builder
	b.WriteString(noWrap)
	if t.height > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", t.height)
	}
	for _, l := range lines {
		b.WriteString(l + clearLine + "\n")
	}
	b.WriteString(clearBelow + wrap)
	t.height = len(lines)
	_, _ = io.WriteString(t.out, b.String()) // the error could not be shown anywhere
}

// style is the ANSI code for a state in the table, or empty.
type style string

const (
	normal style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

func (t *table) paint(s style, text string) string {
	if s == normal || !t.colour {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}
