package batch

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/rollcall-go/rollcall/processor"
)

func pos(n int) processor.Position { return processor.Position(strconv.Itoa(n)) }

// behind gives each item of a chunk that begins at first a position.
func behind(first int) func(int) processor.Position {
	return func(i int) processor.Position { return pos(first + i + 1) }
}

func TestTheWatermarkFollowsTheContiguousPrefix(t *testing.T) {
	var w window
	a, b, c := newAcks("10", nil, 10), newAcks("20", nil, 10), newAcks("30", nil, 10)
	for _, m := range []*acks{a, b, c} {
		w.push(m)
	}
	step := func(what string, do func(), low processor.Position, items int, empty bool) {
		t.Helper()
		do()
		w.advance()
		if w.low != low || w.items != items || w.empty() != empty {
			t.Errorf("%s: low %q, %d items, empty %v; want %q, %d, %v", what, w.low, w.items, w.empty(), low, items, empty)
		}
	}
	step("nothing", func() {}, "", 0, false)
	step("the second", b.ackAll, "", 0, false)
	step("one item of the first", func() { a.ack(0) }, "", 1, false)
	step("it again", func() { a.ack(0) }, "", 1, false)
	step("all of the first", a.ackAll, "20", 20, false)
	step("an item in the middle of the third", func() { c.ack(5) }, "20", 20, false)
	step("the third", c.ackAll, "30", 30, true)
	step("the third again", c.ackAll, "30", 30, true)
}

func TestSingleItemsMoveTheWatermarkIfTheyHavePositions(t *testing.T) {
	for _, c := range []struct {
		after func(int) processor.Position
		want  []processor.Position // after each item
	}{
		{behind(0), []processor.Position{"", "", "3", "4"}},
		{nil, []processor.Position{"", "", "", "4"}},
		{func(int) processor.Position { return "" }, []processor.Position{"", "", "", "4"}},
	} {
		var w window
		m := newAcks("4", c.after, 4)
		w.push(m)
		for i, item := range []int{1, 2, 0, 3} {
			m.ack(item)
			w.advance()
			if w.low != c.want[i] {
				t.Errorf("after items 1, 2, 0, 3 up to number %d the watermark is %q, want %q", i, w.low, c.want[i])
			}
		}
	}
}

func TestWhatHasNoNextDoesNotMoveTheWatermark(t *testing.T) {
	var w window
	w.push(newAcks("7", nil, 0))
	w.push(newAcks("", nil, 0))
	m := newAcks("", nil, 1)
	w.push(m)
	w.advance()
	if w.low != "7" || w.empty() {
		t.Errorf("low %q, empty %v; want 7 and one chunk", w.low, w.empty())
	}
	m.ackAll()
	w.advance()
	if w.low != "7" || !w.empty() {
		t.Errorf("low %q, empty %v; want 7 and none", w.low, w.empty())
	}
}

// A filter that drops everything after a chunk that is not acknowledged fills no memory.
func TestDroppedChunksAreMerged(t *testing.T) {
	var w window
	slow := newAcks("1", nil, 1)
	w.push(slow)
	for n := range 1000 {
		w.push(newAcks(pos(n+2), nil, 0))
	}
	if len(w.entries) != 1 {
		t.Errorf("%d entries, want 1", len(w.entries))
	}
	w.advance()
	if w.low != "" {
		t.Errorf("the watermark is %q, past what hangs", w.low)
	}
	slow.ackAll()
	w.advance()
	if w.low != "1001" || !w.empty() || w.items != 1 {
		t.Errorf("low %q, empty %v, %d items; want 1001, true, 1", w.low, w.empty(), w.items)
	}
}

func TestAcksTellWhatIsAcknowledged(t *testing.T) {
	m := newAcks("3", nil, 3)
	if m.partial() || m.done() || m.acked(0) {
		t.Error("something is acknowledged at the start")
	}
	m.ack(2)
	for i, want := range []bool{false, false, true} {
		if m.acked(i) != want {
			t.Errorf("item %d: acknowledged %v, want %v", i, m.acked(i), want)
		}
	}
	if !m.partial() || m.done() {
		t.Errorf("begun %v, done %v; want true, false", m.partial(), m.done())
	}
	m.ack(0)
	m.ack(1)
	m.ack(1)
	if !m.done() || !m.acked(0) {
		t.Errorf("done %v, item 0 %v; want true", m.done(), m.acked(0))
	}
	if none := newAcks("9", nil, 0); !none.done() {
		t.Error("a chunk without items waits for something")
	}
}

// The window keeps no acknowledged chunk.
func TestTheWindowForgets(t *testing.T) {
	var w window
	for n := range 10_000 {
		m := newAcks(pos(n+1), behind(n), 1)
		w.push(m)
		m.ack(0)
		w.advance()
		if !w.empty() || w.low != pos(n+1) {
			t.Fatalf("chunk %d: %v", n, fmt.Sprint(w.low, len(w.entries)))
		}
	}
	if w.entries != nil {
		t.Errorf("an empty window has room for %d", cap(w.entries))
	}
}
