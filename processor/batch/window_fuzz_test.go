package batch

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rollcall-go/rollcall/processor"
)

// twin is the window once more, as plain as can be: all items since the beginning, and
// every question answered by looking at all of them.
type twin struct {
	chunks []twinChunk
	acked  []bool // of all items
	low    processor.Position
}

type twinChunk struct {
	first, size int
	next        processor.Position
	after       bool
}

// push adds a chunk.
func (w *twin) push(size int, next processor.Position, after bool) {
	w.chunks = append(w.chunks, twinChunk{first: len(w.acked), size: size, next: next, after: after})
	w.acked = append(w.acked, make([]bool, size)...)
}

// advance looks from the start for the end of what is acknowledged.
func (w *twin) advance() {
	w.low = ""
	for _, c := range w.chunks {
		n := 0
		for n < c.size && w.acked[c.first+n] {
			n++
		}
		if n < c.size {
			if n > 0 && c.after {
				w.low = after(c.first, n-1)
			}
			return
		}
		if c.next != "" {
			w.low = c.next
		}
	}
}

// prefix is how many items are acknowledged from the start.
func (w *twin) prefix() int {
	for i, is := range w.acked {
		if !is {
			return i
		}
	}
	return len(w.acked)
}

// after is the position after an item of the chunk that begins at first.
func after(first, i int) processor.Position {
	return processor.Position(fmt.Sprintf("item %d", first+i+1))
}

// drive does what the script says to both and compares them after each step. Two bytes
// are a step: what, and with which.
func drive(script []byte) error {
	var w window
	var brute twin
	var all []*acks
	for i := 0; i+1 < len(script); i += 2 {
		what, which := script[i], int(script[i+1])
		var step string
		switch what % 8 {
		case 0, 1, 2: // push a chunk of some items, or none, maybe without a position
			size, next := which%6, processor.Position(fmt.Sprintf("chunk %d", len(all)))
			if which%16 == 15 {
				next = ""
			}
			first := len(brute.acked)
			var f func(int) processor.Position
			if which%32 < 16 && next != "" {
				f = func(i int) processor.Position { return after(first, i) }
			}
			m := newAcks(next, f, size)
			w.push(m)
			brute.push(size, next, f != nil)
			all = append(all, m)
			step = fmt.Sprintf("push %d items up to %q", size, next)
		case 3, 4, 5: // acknowledge an item, of a late chunk rather than of an early one
			n := len(all) - 1 - which%max(1, min(len(all), 5))
			if n < 0 || brute.chunks[n].size == 0 {
				continue
			}
			item := which / 5 % brute.chunks[n].size
			all[n].ack(item)
			brute.acked[brute.chunks[n].first+item] = true
			step = fmt.Sprintf("ack item %d of chunk %d", item, n)
		case 6: // acknowledge a chunk
			if len(all) == 0 {
				continue
			}
			n := which % len(all)
			all[n].ackAll()
			for i := range brute.chunks[n].size {
				brute.acked[brute.chunks[n].first+i] = true
			}
			step = fmt.Sprintf("ack chunk %d", n)
		default:
			step = "advance"
		}
		if what&8 == 0 { // otherwise several things happen before the loop looks
			w.advance()
			brute.advance()
		}
		if err := sameWindow(&w, &brute, all, what&8 == 0); err != nil {
			return fmt.Errorf("step %d, %s: %w", i/2, step, err)
		}
	}
	return nil
}

func sameWindow(w *window, brute *twin, all []*acks, advanced bool) error {
	if w.low != brute.low {
		return fmt.Errorf("the watermark is %q, want %q", w.low, brute.low)
	}
	for n, m := range all {
		done := true
		for i := range m.size {
			want := brute.acked[brute.chunks[n].first+i]
			if m.acked(i) != want {
				return fmt.Errorf("item %d of chunk %d: acknowledged %v, want %v", i, n, m.acked(i), want)
			}
			done = done && want
		}
		if m.done() != done {
			return fmt.Errorf("chunk %d: done %v, want %v", n, m.done(), done)
		}
	}
	if !advanced {
		return nil
	}
	if w.items != brute.prefix() {
		return fmt.Errorf("%d items are counted, want %d", w.items, brute.prefix())
	}
	if all := brute.prefix() == len(brute.acked); w.empty() != all {
		return fmt.Errorf("empty %v, want %v", w.empty(), all)
	}
	return nil
}

func FuzzWatermark(f *testing.F) {
	f.Add([]byte{0, 3, 0, 2, 3, 0, 6, 1, 6, 0, 7, 0})
	f.Add([]byte{0, 0, 0, 4, 0, 0, 0, 0, 6, 1})             // a filter that drops everything
	f.Add([]byte{0, 15, 0, 31, 0, 5, 6, 1, 6, 0, 6, 2})     // no positions
	f.Add([]byte{8, 5, 8, 21, 11, 0, 11, 5, 14, 0, 15, 0})  // many things at once
	f.Add([]byte{0, 5, 3, 0, 3, 5, 3, 10, 3, 15, 3, 20, 6}) // one item after the other
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 9))
		script := make([]byte, 300)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		const most = 400 // each step looks at everything
		if err := drive(script[:min(len(script), most)]); err != nil {
			t.Error(err)
		}
	})
}
