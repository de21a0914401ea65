package main

import (
	"reflect"
	"testing"
	"time"
)

var epoch0 = time.Unix(1_790_000_000, 0)

// at is so many seconds after the beginning.
func at(seconds float64) time.Time { return epoch0.Add(time.Duration(seconds * float64(time.Second))) }

func TestCover(t *testing.T) {
	for name, c := range map[string]struct {
		add     []span
		cover   []span
		twice   int64
		missing int64 // of 20
	}{
		"in order":        {[]span{{0, 5}, {5, 10}}, []span{{0, 10}}, 0, 10},
		"a hole":          {[]span{{0, 5}, {6, 10}}, []span{{0, 5}, {6, 10}}, 0, 11},
		"a hole filled":   {[]span{{0, 5}, {6, 10}, {5, 6}}, []span{{0, 10}}, 0, 10},
		"twice":           {[]span{{0, 5}, {3, 7}}, []span{{0, 7}}, 2, 13},
		"all twice":       {[]span{{3, 5}, {3, 5}}, []span{{3, 5}}, 2, 18},
		"over several":    {[]span{{0, 2}, {4, 6}, {8, 10}, {1, 9}}, []span{{0, 10}}, 4, 10},
		"within":          {[]span{{0, 10}, {2, 4}}, []span{{0, 10}}, 2, 10},
		"another order":   {[]span{{8, 10}, {0, 2}}, []span{{0, 2}, {8, 10}}, 0, 16},
		"more than asked": {[]span{{0, 25}}, []span{{0, 25}}, 0, 0},
	} {
		var b book
		for _, s := range c.add {
			b.add(s)
		}
		if !reflect.DeepEqual(b.cover, c.cover) || b.twice != c.twice || b.missing(20) != c.missing {
			t.Errorf("%s: it covers %v, %d twice, %d missing", name, b.cover, b.twice, b.missing(20))
		}
	}
}

// play files what a worker prints.
func (w *worker) play(t *testing.T, g *ledger, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if err := w.file([]byte(line), g); err != nil {
			t.Fatal(err)
		}
	}
}

func started(seconds float64, epoch, resume string) string {
	return `{"event":"started","at":"` + at(seconds).UTC().Format(time.RFC3339Nano) + `","shard":0,"epoch":` + epoch + `,"position":"` + resume + `"}`
}

func ended(seconds float64, epoch string) string {
	return `{"event":"stopped","at":"` + at(seconds).UTC().Format(time.RFC3339Nano) + `","shard":0,"epoch":` + epoch + `}`
}

func commit(seconds float64, epoch, position string) string {
	return `{"event":"commit","at":"` + at(seconds).UTC().Format(time.RFC3339Nano) + `","shard":0,"epoch":` + epoch + `,"position":"` + position + `"}`
}

func handled(seconds float64, epoch, first, last string) string {
	when := at(seconds).UTC().Format(time.RFC3339Nano)
	return `{"began":"` + when + `","at":"` + when + `","shard":0,"epoch":` + epoch + `,"first":` + first + `,"last":` + last + `}`
}

// TestVerdict: what must not be is found.
func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		a, b []string // what two workers print
		kill float64  // when the first one is killed
		want verdict
	}{
		"in order": {
			a: []string{started(0, "1", "1"), handled(1, "1", "1", "5"), commit(2, "1", "6"), ended(3, "1")},
			b: []string{started(3.1, "2", "6"), handled(4, "2", "6", "9"), commit(5, "2", "10")},
		},
		"never begun": {
			a: []string{ended(3, "2")},
			b: []string{started(1, "1", "6"), ended(2, "1"), started(4, "3", "6")},
		},
		"two owners": {
			a:    []string{started(0, "1", "1"), ended(3, "1")},
			b:    []string{started(2.9, "2", "1")},
			want: verdict{double: 1},
		},
		"two owners to the end": {
			a:    []string{started(0, "1", "1")},
			b:    []string{started(2, "2", "1")},
			want: verdict{double: 1},
		},
		"killed": {
			a: []string{started(0, "1", "1")}, kill: 2,
			b: []string{started(9, "2", "1")},
		},
		"killed later": {
			a: []string{started(0, "1", "1")}, kill: 3,
			b:    []string{started(2, "2", "1")},
			want: verdict{double: 1},
		},
		"one epoch for two": {
			a:    []string{started(0, "1", "1"), ended(1, "1")},
			b:    []string{started(2, "1", "1")},
			want: verdict{epochs: 1},
		},
		"epochs go back": {
			a:    []string{started(0, "2", "1"), ended(1, "2")},
			b:    []string{started(2, "1", "1")},
			want: verdict{epochs: 1},
		},
		"something without a start": {
			a:    []string{handled(1, "1", "1", "5")},
			want: verdict{epochs: 1},
		},
		"a commit goes back": {
			a:    []string{started(0, "1", "1"), commit(1, "1", "6"), commit(2, "1", "5")},
			want: verdict{back: 1},
		},
		"the next owner begins too early": {
			a:    []string{started(0, "1", "1"), commit(1, "1", "6"), ended(2, "1")},
			b:    []string{started(3, "2", "5")},
			want: verdict{back: 1},
		},
	} {
		g, a, b := newLedger(), &worker{name: "a"}, &worker{name: "b"}
		a.play(t, g, c.a...)
		if c.kill > 0 {
			a.gone = at(c.kill)
		}
		b.play(t, g, c.b...)
		got := g.judge()
		got.first = ""
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestMoves(t *testing.T) {
	g, a, b := newLedger(), &worker{name: "a"}, &worker{name: "b"}
	a.play(t, g, started(0, "1", "1"), handled(1, "1", "1", "5"), handled(2, "1", "6", "8"), ended(3, "1"))
	b.play(t, g, started(3.5, "2", "9"), handled(4, "2", "9", "9"), handled(5, "2", "10", "10"))
	moves := g.moves(at(3))
	if len(moves) != 1 {
		t.Fatalf("the moves are %+v", moves)
	}
	if m := moves[0]; m.from != a || m.to != b || m.stood != 2*time.Second || m.handed != 500*time.Millisecond {
		t.Errorf("the move is %+v", m)
	}
	if moves := g.moves(at(4)); len(moves) != 0 {
		t.Errorf("since then, the moves are %+v", moves)
	}
	if n := g.startsSince(at(3)); n != 1 {
		t.Errorf("%d starts", n)
	}
	if owners := g.owners(); len(owners) != 1 || owners[b] != 1 {
		t.Errorf("the owners are %v", owners)
	}
}

// TestLate: what a frozen worker prints after it woke, under its old lease, is counted.
func TestLate(t *testing.T) {
	g, w := newLedger(), &worker{name: "w"}
	w.play(t, g, started(0, "1", "1"), handled(1, "1", "1", "5"))
	w.gone, w.wokeAt = at(2), at(20)
	w.play(t, g, handled(1.9, "1", "6", "6"), handled(20.1, "1", "7", "7"), handled(22, "2", "8", "8"), started(21, "2", "7"))
	if n := g.late(w); n != 1 {
		t.Errorf("%d batches are late", n)
	}
}

// TestCutLine: the last line of a killed worker may be a part of one; any other must not.
func TestCutLine(t *testing.T) {
	g, w := newLedger(), &worker{name: "w"}
	if err := w.file([]byte(`{"at":"2026`), g); err == nil {
		t.Error("half a line is no fault")
	}
	w.gone = at(1)
	if err := w.file([]byte(`{"at":"2026`), g); err != nil {
		t.Error(err)
	}
}

func TestSilence(t *testing.T) {
	w := &worker{beats: []time.Time{at(0), at(5), at(16), at(20)}}
	for _, c := range []struct{ from, to, want float64 }{{1, 30, 11}, {17, 21, 4}, {20.5, 27, 7}, {17, 30, 10}} {
		if got := w.silence(at(c.from), at(c.to)); got != time.Duration(c.want*float64(time.Second)) {
			t.Errorf("from %v to %v: %v", c.from, c.to, got)
		}
	}
}

func TestQuantile(t *testing.T) {
	if q := quantile(nil, 0.5); q != 0 {
		t.Errorf("of nothing it is %v", q)
	}
	all := []time.Duration{5, 1, 4, 2, 3}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if q := quantile(all, share); q != want {
			t.Errorf("the quantile %v is %v, want %v", share, q, want)
		}
	}
}

func TestReport(t *testing.T) {
	r := &report{}
	r.most("a time", 2, 1)
	r.loss("not certain", 1, false)
	if !r.sound(false) || r.sound(true) {
		t.Error("times count, or do not when they should")
	}
	r.loss("certain", 1, true)
	if r.sound(false) {
		t.Error("a certain loss does not count")
	}
	slow := &report{}
	slow.least("speed", 1, 2, "/s")
	if slow.sound(true) {
		t.Error("a number that is not reached does not count")
	}
}
