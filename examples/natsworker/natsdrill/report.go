package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// report is what a drill found.
type report struct {
	lines []line
}

// line is one figure and what it should be.
type line struct {
	what   string
	got    string
	want   string
	missed bool
	timing bool // depends on the machine
}

// most adds a time that should not be longer than the target.
func (r *report) most(what string, got, target time.Duration) {
	r.lines = append(r.lines, line{what, short(got), "<= " + short(target), got > target, true})
}

// figure adds a number that depends on the machine.
func (r *report) figure(what string, got, target float64, unit string) {
	r.lines = append(r.lines, line{what, strings.TrimSpace(fmt.Sprintf("%.4g %s", got, unit)), strings.TrimSpace(fmt.Sprintf("<= %g %s", target, unit)), got > target, true})
}

// atMost adds a count that must not be exceeded, on any machine.
func (r *report) atMost(what string, got, target int) {
	want := fmt.Sprint("<= ", target)
	if target == 0 {
		want = "0"
	}
	r.lines = append(r.lines, line{what, fmt.Sprint(got), want, got > target, false})
}

// loss adds a count that should be zero; it is one of those that depend on the machine
// unless it is certain.
func (r *report) loss(what string, got int, certain bool) {
	r.lines = append(r.lines, line{what, fmt.Sprint(got), "0", got > 0, !certain})
}

// least adds a number that should be reached, and depends on the machine.
func (r *report) least(what string, got, target float64, unit string) {
	r.lines = append(r.lines, line{what, fmt.Sprintf("%.0f %s", got, unit), fmt.Sprintf(">= %g %s", target, unit), got < target, true})
}

// note adds something to know.
func (r *report) note(what, got string) {
	r.lines = append(r.lines, line{what: what, got: got})
}

// sound reports whether nothing was missed; times count if strict.
func (r *report) sound(strict bool) bool {
	return !slices.ContainsFunc(r.lines, func(l line) bool { return l.missed && (strict || !l.timing) })
}

func (r *report) print(w io.Writer) {
	for _, l := range r.lines {
		mark := "  "
		if l.missed {
			mark = "! "
		}
		fmt.Fprintf(w, "  %s%-58s %12s   %s\n", mark, l.what, l.got, l.want)
	}
}

// short shows a time with three digits or so.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// quantile returns the smallest value that a share of all are not above; 0 of none.
func quantile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[min(int(share*float64(len(all))), len(all)-1)]
}
