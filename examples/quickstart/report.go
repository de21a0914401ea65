package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// report writes the results of the work.
func (w *work) report(out io.Writer, checks []*check) {
	r := reporter{work: w, out: out, handovers: w.journal.handovers()}
	r.classes()
	r.lines(checks)
	r.duplicates()
	r.moves()
	r.pauses()
	r.verdict(checks)
}

type reporter struct {
	*work
	out       io.Writer
	handovers []handover
}

func (r *reporter) print(format string, a ...any) { fmt.Fprintf(r.out, format+"\n", a...) }

// classes lists how many lines each status or level has, the most frequent first.
func (r *reporter) classes() {
	classes, total, _ := r.sink.totals()
	r.print("\nLines by status or level")
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	})
	cell := func(name string) string {
		share := float64(classes[name]) / float64(total)
		return fmt.Sprintf("%-6s %9s  %5.1f%%  %s", name, commas(classes[name]), 100*share, strings.ReplaceAll(bar(share, 12), "·", " "))
	}
	half := (len(names) + 1) / 2 // in two columns
	for i, name := range names[:half] {
		row := cell(name)
		if half+i < len(names) {
			row += "  " + cell(names[half+i])
		}
		r.print("  %s", strings.TrimRight(row, " "))
	}
	if len(names) == 0 {
		r.print("  none")
	}
}

// lines lists the files, and what the independent check found. If there are many files,
// it lists the first ones, and of the others only those that are not complete.
func (r *reporter) lines(checks []*check) {
	const most = 20
	r.print("\nEvery line at least once: each file was read again and compared with the results")
	r.print("  %9s  %9s  %11s  %4s  %-19s  %s", "LINES", "PROCESSED", "UNCOMMITTED", "LOST", "CHECKSUM", "FILE")
	for i, c := range checks {
		if i >= most && c.sound() && c.open == 0 {
			continue
		}
		sum := fmt.Sprintf("%016x ok", c.want)
		if c.got != c.want {
			sum = fmt.Sprintf("%016x WRONG", c.want)
		}
		r.print("  %9s  %9s  %11s  %4s  %-19s  %s",
			commas(c.lines), commas(c.processed), commas(c.open), commas(len(c.missing)), sum, c.src.label)
		if len(c.missing) > 0 {
			r.print("  lost lines, the first of them: %s", strings.Trim(fmt.Sprint(c.missing[:min(10, len(c.missing))]), "[]"))
		}
	}
	if len(checks) > most {
		r.print("  ... %s in all; the others are in order", count(len(checks), "file"))
	}
}

// duplicates says how many lines were processed twice, and because of which handover.
func (r *reporter) duplicates() {
	_, _, again := r.sink.totals()
	byKind := map[handoverKind]int{}
	known := 0
	for _, h := range r.handovers {
		n := r.sink.again(h.id, h.before)
		byKind[h.kind] += n
		known += n
	}
	r.print("\nLines processed twice: %s (counted once everywhere else)", commas(again))
	for _, kind := range []handoverKind{planned, crash, lapsed} {
		if n, some := byKind[kind]; some {
			r.print("  %-10s %5s in %s", kind, commas(n), count(len(pauses(r.handovers, kind)), "hand-over"))
		}
	}
	if other := again - known; other > 0 {
		r.print("  %-10s %5s", "restarts", commas(other))
	}
	if d := r.death; d != nil {
		r.print("  %s had processed %s since its last commits when it was killed.", d.member, count(d.open, "line"))
		if d.over {
			r.print("  It woke up at the very end, found its lease over, and processed %s more.", count(int(d.late), "line"))
		}
	}
}

// moves lists the handovers.
func (r *reporter) moves() {
	const most = 40
	r.print("\nHand-overs: %s", commas(len(r.handovers)))
	if len(r.handovers) == 0 {
		return
	}
	r.print("  %9s  %-20s  %-12s  %-10s  %9s  %5s", "AT", "SHARD", "FROM -> TO", "KIND", "PAUSE", "TWICE")
	for i, h := range r.handovers {
		if i == most {
			r.print("  ... and %s", count(len(r.handovers)-most, "more hand-over"))
			break
		}
		r.print("  %9s  %-20s  %-12s  %-10s  %9s  %5s", clock(h.at.Sub(r.begin)), tail(h.id.String(), 20),
			h.from+" -> "+h.to, h.kind, short(h.pause), commas(r.sink.again(h.id, h.before)))
	}
}

// pauses writes a summary of the handovers of each kind.
func (r *reporter) pauses() {
	for _, kind := range []handoverKind{planned, crash, lapsed} {
		list := pauses(r.handovers, kind)
		if len(list) == 0 {
			continue
		}
		r.print("  %-10s pause: p50 %s, max %s", kind, short(list[(len(list)-1)/2]), short(list[len(list)-1]))
		if kind == crash {
			r.print("  %-10s (a dead worker's lease ends %s after its last heartbeat)", "", short(r.ttl))
		}
	}
}

// verdict writes the last line.
func (r *reporter) verdict(checks []*check) {
	_, lines, _ := r.sink.totals()
	took := r.took.Round(10 * time.Millisecond)
	switch {
	case complete(checks):
		r.print("\nOK: all %s processed in %v", count(lines, "line"), took)
	case sound(checks):
		r.print("\nEnded early, after %v: %s processed, nothing lost before the checkpoints", took, count(lines, "line"))
	default:
		r.print("\nFAILED: not everything that was committed was processed")
	}
}
