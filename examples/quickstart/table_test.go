package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

var ansi = regexp.MustCompile(`\x1b\[[?0-9]*[A-Za-z]`)

func fullView(shards, workers, notes int) view {
	v := view{at: 83 * time.Second, lines: 1_234_567, share: 0.5, rate: 98765}
	for i := range shards {
		v.shards = append(v.shards, shardView{
			id: shardset.ID{Log: "a-log-with-a-long-name.log", Number: i}, owner: "w12", epoch: 12345,
			state: "from w10 in 1.98 s", style: green, share: float64(i) / float64(shards), lines: 123_456, rate: 12_345,
			moved: time.Duration(i % 7),
		})
	}
	for i := range workers {
		v.workers = append(v.workers, workerView{
			name: fmt.Sprintf("w%d", i+1), shards: 12, lines: 1_234_567, state: "killed; its lease ends in 1.23 s", style: red,
		})
	}
	for i := range notes {
		v.notes = append(v.notes, note{time.Duration(i) * time.Second, "something happened"})
	}
	return v
}

func TestTableFitsASmallTerminal(t *testing.T) {
	for _, shards := range []int{0, 1, 12, 13, 1024} {
		for _, workers := range []int{3, 4, 5, 33} {
			var out bytes.Buffer
			(&table{out: &out, colour: true}).show(fullView(shards, workers, 9))
			lines := strings.Split(ansi.ReplaceAllString(out.String(), ""), "\n")
			if len(lines) > 24 {
				t.Errorf("%d shards, %d workers: %d lines", shards, workers, len(lines))
			}
			for _, l := range lines {
				if n := len([]rune(l)); n > 80 {
					t.Errorf("%d columns: %q", n, l)
				}
			}
		}
	}
}

func TestTableIsDrawnInPlace(t *testing.T) {
	var out bytes.Buffer
	d := &table{out: &out}
	d.show(fullView(12, 3, 0))
	lines := strings.Count(out.String(), "\n")
	out.Reset()
	d.show(fullView(3, 3, 0))
	if up := fmt.Sprintf("\x1b[%dA", lines); !strings.Contains(out.String(), up) {
		t.Errorf("the second drawing does not go up %d lines", lines)
	}
	if !strings.Contains(out.String(), "\x1b[J") {
		t.Error("what is left of the first drawing is not cleared")
	}
	if strings.Contains(out.String(), "\x1b[32m") {
		t.Error("it is painted without being asked to")
	}
}

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	d := &plain{out: &out, next: time.Second}
	v := fullView(2, 2, 1)
	for _, at := range []time.Duration{0, 900, 1000, 1100, 1900, 2100} {
		v.at = at * time.Millisecond
		d.show(v)
	}
	if got := strings.Count(out.String(), "\n"); got != 3 { // the note, and two seconds
		t.Errorf("%d lines:\n%s", got, &out)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("control characters: %q", &out)
	}
}

func TestFormat(t *testing.T) {
	for got, want := range map[string]string{
		commas(0): "0", commas(999): "999", commas(1000): "1,000", commas(-1234567): "-1,234,567",
		count(1, "line"): "1 line", count(2000, "line"): "2,000 lines",
		short(420 * time.Microsecond): "0.42 ms", short(2100 * time.Microsecond): "2.1 ms",
		short(420 * time.Millisecond): "420 ms", short(1980 * time.Millisecond): "1.98 s",
		bar(0, 4): "····", bar(1, 4): "████", bar(0.5, 4): "██··", bar(0.3, 4): "█▎··", bar(7, 2): "██",
		tail("access.log/7", 14): "access.log/7", tail("long-name.access.log/7", 14): "~.access.log/7",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
